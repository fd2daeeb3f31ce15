import Events
import NIOCore
import NIOHTTP1

/// The call of a Lambda worker, from its begin to its end.
extension RuntimeEndpoint {
    /// What a function gets to finish a call that its caller has left, before its worker is stopped: no call can be ended
    /// without its process.
    private static let cancellationLimit = TimeAmount.seconds(1)

    // MARK: Begin

    func begin(_ call: LambdaCall) {
        guard !isClosing, state.begin(call.id) else {
            call.resume(nil)
            return reports.released()
        }
        self.call = call
        guard !call.isCancelled else { return leave(call) }
        call.alarm = loop.assumeIsolated().scheduleTask(deadline: call.deadline) { [self] in expire(call) }
        switch call.call.body {
        case .bytes(let bytes): offer(call, body: bytes)
        case .stream(let body):
            // Unstructured: the body comes while the worker does nothing else. Ends with the body or with the call.
            call.gathering = Task(executorPreference: process.lane) { await self.gather(body, for: call) }
        }
    }

    /// The gateway bounds a request's body by `limits.body`.
    private func gather(_ body: BodyStream, for call: LambdaCall) async {
        let result: Result<ByteBuffer, CallFailure>
        do {
            var all = ByteBuffer()
            while var chunk = try await body.next() { all.writeBuffer(&chunk) }
            result = .success(all)
        } catch {
            result = .failure(body.cancellation(after: error))
        }
        process.lane.run { [self] in
            guard self.call === call else { return }
            switch result {
            case .success(let bytes): offer(call, body: bytes)
            case .failure(let failure): withdraw(call, failure)
            }
        }
    }

    private func offer(_ call: LambdaCall, body: ByteBuffer) {
        do {
            call.event = try LambdaEvent(call.call.invocation, body: body, of: function, now: .now()).json
        } catch {
            return withdraw(call, CallFailure(.handlerFailed, "the event cannot be written as JSON: \(error)"))
        }
        offerAgain()
    }

    /// Gives the call to the connection that waits longest; without one, it waits.
    private func offerAgain() {
        guard let id = state.offer(), let connection = connections[id] else { return }
        give(to: connection)
    }

    func give(to connection: RuntimeConnection) {
        guard let call else { return }
        current = call.id
        let left = call.deadline - .now()
        let deadline = WallTime.now().advanced(by: .nanoseconds(left.nanoseconds))
        var headers = [
            ("Lambda-Runtime-Aws-Request-Id", call.id.description),
            ("Lambda-Runtime-Deadline-Ms", String(deadline.milliseconds)),
            ("Lambda-Runtime-Invoked-Function-Arn", function.arn),
            ("Lambda-Runtime-Trace-Id", LambdaFunction.trace(of: call.id)),
        ]
        if case .event(_, let event) = call.call.invocation.cause,
            let context = event.extensions[LambdaEvent.clientContext]
        {
            headers.append(("Lambda-Runtime-Client-Context", context))
        }
        connection.answer(status: 200, headers: headers, json: call.event) { [self] in
            process.lane.run { if self.call === call { self.offerAgain() } }
        }
    }

    // MARK: Answer

    /// Whether a response is passed on as it comes: one to a request, in the streaming mode.
    func isStream(_ post: RuntimePost) -> Bool {
        post.kind == .takeResponse && post.isStreamed && call?.isRequest == true
    }

    /// A part of a streamed response.
    func stream(_ bytes: ByteBuffer, of post: RuntimePost, on connection: RuntimeConnection) {
        guard let call, !call.isAbandoned else { return }
        streaming = connection
        do throws(CallFailure) {
            if let stream = call.stream {
                if !stream.write(bytes) { streaming?.pause(true) }
                return
            }
            if prelude == nil { prelude = ResponsePrelude(contentType: post.headers.first(name: "Content-Type")) }
            if let (head, body) = try prelude?.take(bytes) { answer(call, head, body) }
        } catch {
            call.fail(error)
        }
    }

    private func answer(_ call: LambdaCall, _ head: ResponseHead, _ body: ByteBuffer) {
        let stream = makeStream(for: call)
        call.stream = stream
        if !stream.write(body) { streaming?.pause(true) }
        call.resume(.success(.response(head, .stream(stream))))
    }

    /// The call holds its stream, so the stream must not hold the call: the endpoint does until it ends.
    private func makeStream(for call: LambdaCall) -> BodyStream {
        BodyStream { [self] in
            process.lane.run { self.streaming?.pause(false) }
        } onCancel: { [self, weak call] in
            guard let call else { return }
            process.lane.run { self.cancel(call) }
        }
    }

    /// A response over the limit, whose rest is not read. The call fails, as in AWS.
    func refuseLarge(_ post: RuntimePost) {
        let text = "the function's response has more than \(RuntimePost.largest >> 20) MiB"
        let payload = #"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"\#(text)"}"#
        let error = FunctionError(type: nil, payload: Array(payload.utf8))
        finish(.failure(CallFailure(.handlerFailed, text, functionError: error)))
    }

    /// The runtime has said all of its answer.
    func conclude(_ post: RuntimePost, _ trailers: HTTPHeaders?) {
        guard let call else { return }
        let error = post.kind == .takeError ? post.error : RuntimePost.error(in: trailers)
        if let error {
            finish(.failure(failure(error)))
        } else if isStream(post) {
            finishStream(of: call, post)
        } else {
            finish(Result { () throws(CallFailure) in try answer(to: call, post.body) })
        }
    }

    private func failure(_ error: FunctionError) -> CallFailure {
        CallFailure(.handlerFailed, "the function failed: \(error.description)", functionError: error)
    }

    private func answer(to call: LambdaCall, _ body: ByteBuffer) throws(CallFailure) -> Answer {
        switch call.call.invocation.cause {
        case .request:
            let response = try LambdaResponse(body)
            return .response(response.head, .bytes(response.body))
        case .event(_, let event) where event.type == LambdaEvent.invokeType: return .result(body)
        case .event: return .acknowledged
        }
    }

    private func finishStream(of call: LambdaCall, _ post: RuntimePost) {
        guard call.stream == nil, !call.isAbandoned else { return finish(nil) }
        do throws(CallFailure) {
            let prelude = self.prelude ?? ResponsePrelude(contentType: post.headers.first(name: "Content-Type"))
            finish(.success(.response(try prelude.finish(), .empty)))
        } catch {
            finish(.failure(error))
        }
    }

    /// The call is over for the runtime too: the worker is free, and then the caller hears the answer, who may call again
    /// at once. What was printed before the answer has been read by then: both came with one look at the descriptors.
    private func finish(_ answer: Result<Answer, CallFailure>?) {
        guard let call else { return }
        self.call = nil
        // Its caller may be slow; the runtime asks for its next call there.
        streaming?.pause(false)
        streaming = nil
        prelude = nil
        state.answered()
        call.end()
        loop.assumeIsolated().execute { [reports] in
            reports.released()
            switch answer {
            case .success(let answer): call.resume(.success(answer))
            case .failure(let failure): call.fail(failure)
            case nil: call.stream?.finish()
            }
        }
    }

    // MARK: End

    /// Gives up a call that the runtime has not got; the worker is free.
    private func withdraw(_ call: LambdaCall, _ failure: CallFailure) {
        guard self.call === call, state.withdraw() else { return }
        self.call = nil
        call.end()
        reports.released()
        call.fail(failure)
    }

    private func expire(_ call: LambdaCall) {
        guard self.call === call else { return }
        let limit = "ran past its time limit of \(call.call.time) (limits.time)"
        let failure = CallFailure(.timedOut, "the function \(limit)")
        // A body that came too slowly is not the function's fault.
        if state.isPolling { withdraw(call, failure) }
        // A runtime may ask for its next event on another connection while it has this one.
        guard self.call === call else { return }
        call.fail(failure)
        process.say("warning", "worker stopped: a call \(limit)")
        stop(because: "a call \(limit)")
    }

    /// The caller has gone.
    func cancel(_ call: LambdaCall) {
        call.isCancelled = true
        if self.call === call { leave(call) }
    }

    private func leave(_ call: LambdaCall) {
        let failure = call.call.body.cancellation
        withdraw(call, failure)
        guard self.call === call else { return }
        call.fail(failure)
        streaming?.pause(false)
        call.alarm?.cancel()
        call.alarm = loop.assumeIsolated().scheduleTask(in: Self.cancellationLimit) { [self] in
            guard self.call === call else { return }
            stop(because: failure.message)
        }
    }
}
