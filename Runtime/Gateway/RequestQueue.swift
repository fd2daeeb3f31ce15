package import Engine
package import Events
import NIOCore
package import Workers

/// The queue, as the gateway needs it; `InvocationEngine` in production.
package struct RequestQueue: Sendable {
    /// Tells the reply when the request is on disk, once.
    package typealias Accept = @Sendable (QueuedRequest, Reply, Lane, @escaping ReplyEnd) -> any RunningRequest
    package typealias Status =
        @Sendable (InvocationID, _ longest: Duration, Lane) async throws(Problem) ->
        InvocationStatus
    package typealias Cancel = @Sendable (InvocationID) async throws(Problem) -> InvocationStatus

    let accept: Accept
    let status: Status
    let cancel: Cancel

    /// - Parameter status: waits for the end for at most as long as it is told.
    package init(accept: @escaping Accept, status: @escaping Status, cancel: @escaping Cancel) {
        self.accept = accept
        self.status = status
        self.cancel = cancel
    }

    package init(_ engine: InvocationEngine) {
        self.init(
            accept: { engine.accept($0, answering: $1, on: $2, $3) },
            status: { id, longest, lane async throws(Problem) in
                try await engine.status(of: id, endedWithin: longest, on: lane)
            },
            cancel: { id async throws(Problem) in try await engine.cancelRequest(id) })
    }
}

extension RequestQueue {
    /// Queues a request; `end` is told `202` once it is on disk, or its response where its client waits for that long.
    func accept(
        _ request: AdmittedRequest, _ deferral: Deferral, trigger: String, body: Body, id: InvocationID,
        on lane: Lane, _ end: @escaping ReplyEnd
    ) -> (any RunningRequest)? {
        // Its body was collected before.
        guard case .bytes(let bytes) = body else {
            end(.failure(.invalidResponse("A queued request has no stream.")))
            return nil
        }
        let queued = QueuedRequest(
            id: id, function: request.function, trigger: trigger, head: request.head, body: bytes, due: deferral.due,
            urgency: deferral.urgency)
        let waiting = InvocationStatus(
            id: id, state: "waiting", isEnded: false, urgency: deferral.urgency, enqueued: .now(), due: deferral.due)
        guard let wait = deferral.wait, wait > .zero else { return accept(queued, .accepted(waiting), lane, end) }
        return Task.immediate(executorPreference: lane, end: end) { () async throws(Problem) in
            try await self.accept(queued, .accepted(waiting), waiting: wait, on: lane)
        }
    }

    private func accept(
        _ request: QueuedRequest, _ acceptance: Reply, waiting wait: Duration, on lane: Lane
    ) async throws(Problem) -> Reply {
        // Once it is begun, it is not given up: what the client has gone from is in the queue.
        let reply = try await withCheckedContinuation { continuation in
            _ = accept(request, acceptance, lane) { continuation.resume(returning: $0) }
        }.get()
        // A repeat gets what the first one got.
        guard reply.invocation == nil else { return reply }
        let id = request.id
        let status = try await status(id, wait, lane)
        guard let result = status.result, !result.isCut else { return reply }
        return .result(result, of: id, [HeaderField("Preference-Applied", "wait=\(wait.components.seconds)")])
    }

    /// Answers a request about one that was queued.
    func answer(_ request: StatusRequest, on lane: Lane, _ end: @escaping ReplyEnd) -> any RunningRequest {
        Task.immediate(executorPreference: lane, end: end) { () async throws(Problem) in
            try await self.answer(request, on: lane)
        }
    }

    private func answer(_ request: StatusRequest, on lane: Lane) async throws(Problem) -> Reply {
        switch request.action {
        case .status: return .status(try await status(request.id, .zero, lane), code: 200)
        case .cancel: return .status(try await cancel(request.id), code: 200)
        case .result:
            let status = try await status(request.id, .zero, lane)
            guard status.isEnded else { throw .noResultYet(status) }
            guard let result = status.result else { throw .noResult(status) }
            guard !result.isCut else { throw .resultCut(result) }
            return .result(result, of: request.id)
        }
    }
}

extension Reply {
    fileprivate static func accepted(_ status: InvocationStatus) -> Reply {
        var reply = Reply.status(status, code: 202)
        reply.head.headers.append(HeaderField("Location", StatusRequest.path(of: status.id)))
        reply.head.headers.append(HeaderField("Preference-Applied", "respond-async"))
        reply.invocation = nil
        return reply
    }

    fileprivate static func status(_ status: InvocationStatus, code: Int) -> Reply {
        var headers: [HeaderField] = []
        headers.reserveCapacity(5)
        headers.append(HeaderField("Content-Type", "application/json"))
        headers.append(HeaderField("Cache-Control", "no-store"))
        if !status.isEnded { headers.append(HeaderField("Retry-After", String(status.secondsToWait(from: .now())))) }
        var reply = Reply(
            head: ResponseHead(status: code, headers: headers), body: .bytes(ByteBuffer(bytes: status.json)))
        reply.invocation = status.id
        return reply
    }

    /// The response as it was.
    fileprivate static func result(
        _ result: InvocationStatus.Result, of id: InvocationID, _ more: [HeaderField] = []
    ) -> Reply {
        var head = result.head
        head.headers += more
        if head.headers.first("Cache-Control") == nil { head.headers.append(HeaderField("Cache-Control", "no-store")) }
        var reply = Reply(head: head, body: .bytes(ByteBuffer(bytes: result.body)))
        reply.invocation = id
        return reply
    }
}

extension Problem {
    fileprivate static func noResultYet(_ status: InvocationStatus) -> Problem {
        Problem(
            status: 404, code: "no-result-yet", title: "The invocation has not ended",
            detail: "It is \(status.state).", invocation: status.id, retryAfter: status.secondsToWait(from: .now()))
    }

    fileprivate static func noResult(_ status: InvocationStatus) -> Problem {
        let outcome = status.outcome.map { " with the outcome '\($0.rawValue)'" } ?? ""
        return Problem(
            status: 410, code: "no-result", title: "The invocation has no result",
            detail: status.outcome == .succeeded
                ? "It has succeeded, and its response is not kept any more." : "It has ended\(outcome).",
            invocation: status.id)
    }

    fileprivate static func resultCut(_ result: InvocationStatus.Result) -> Problem {
        Problem(
            status: 410, code: "result-cut", title: "The response was too long to be kept whole",
            detail: "Its status was \(result.head.status); the first \(result.body.count) bytes are kept.")
    }
}
