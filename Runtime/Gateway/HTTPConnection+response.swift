import Engine
import Events
import NIOCore
import Workers

/// A response whose body is a stream, while it is being written.
final class OpenResponse {
    let framing: ResponseFraming
    /// Bytes that `Content-Length` still promises.
    var left: Int64?
    /// The task that waits until the client has taken enough.
    private var waiter: CheckedContinuation<Bool, Never>?

    init(_ framing: ResponseFraming) {
        self.framing = framing
        if case .length(let length) = framing { left = length }
    }

    func wait(_ continuation: CheckedContinuation<Bool, Never>) { waiter = continuation }

    func wake() {
        waiter?.resume(returning: true)
        waiter = nil
    }

    func end() {
        waiter?.resume(returning: false)
        waiter = nil
    }
}

extension HTTPConnection {
    /// Bodies up to this are copied behind their head, into one buffer and one write.
    private static let joined = 16 << 10

    // MARK: The call

    func call(_ request: AdmittedRequest, body: Body) {
        state.called()
        let id = InvocationID()
        if case .ask = request.action {} else { exchange.invocation = id }
        exchange.admitted = nil
        let handle = ConnectionHandle(self)
        let number = exchange.number
        let head = request.head
        let running =
            switch request.action {
            case .run:
                lane.shared.respond(head, body, request.function, id, lane.lane) {
                    handle.end($0, of: id, to: head, number)
                }
            case .queue(let deferral, let trigger):
                lane.shared.queue.accept(request, deferral, trigger: trigger, body: body, id: id, on: lane.lane) {
                    handle.end($0, of: id, to: head, number)
                }
            case .ask(let question):
                lane.shared.queue.answer(question, on: lane.lane) { handle.end($0, of: id, to: head, number) }
            }
        // It may be over already, and its response on the way.
        if let running, exchange.running == nil { keep(running, number) }
    }

    /// Sends a response that is not there as a whole.
    fileprivate func give(_ reply: Reply, of id: InvocationID, to head: RequestHead, _ number: Int) {
        guard number == exchange.number else { return reply.discard() }
        let handle = ConnectionHandle(self)
        let (shared, lane) = (lane.shared, lane.lane)
        // Not a child of anything: it lives as long as its client reads, and the connection cancels it otherwise.
        let running = Task.immediate(executorPreference: lane) {
            await handle.give(reply, of: id, to: head, number, shared: shared, on: lane)
        }
        keep(running, number)
    }

    /// To be cancelled when nobody waits for it any more; the exchange may be over already, and the next one begun.
    private func keep(_ running: any RunningRequest, _ number: Int) {
        if number == exchange.number { exchange.running = running }
    }

    /// Another invocation than the first one gives the response, which names it.
    fileprivate func answers(_ invocation: InvocationID, _ number: Int) {
        if number == exchange.number { exchange.invocation = invocation }
    }

    @inline(never)
    fileprivate func finish(_ head: ResponseHead, _ bytes: ByteBuffer, _ number: Int) {
        guard number == exchange.number else { return }
        respond(head, bytes)
        proceed()
    }

    @inline(never)
    fileprivate func fail(_ problem: Problem, _ number: Int) {
        guard number == exchange.number else { return }
        answer(problem)
        proceed()
    }

    /// On to what the client has sent meanwhile.
    private func proceed() {
        pump()
        read()
    }

    // MARK: Whole responses

    private func respond(_ head: ResponseHead, _ bytes: ByteBuffer) {
        do throws(Problem) {
            try write(head, bytes)
        } catch {
            answer(error)
        }
    }

    func answer(_ problem: Problem) {
        var problem = problem
        problem.invocation = problem.invocation ?? exchange.invocation
        var headers = [HeaderField("Content-Type", "application/problem+json")] + problem.headers
        if let seconds = problem.retryAfter { headers.append(HeaderField("Retry-After", String(seconds))) }
        do throws(Problem) {
            try write(ResponseHead(status: problem.status, headers: headers), ByteBuffer(bytes: problem.json))
        } catch {
            // A problem that cannot be written is not one of ours; the client learns what is left to say.
            abort()
        }
    }

    func answerOptions(_ methods: [String]) {
        respond(
            ResponseHead(status: 204, headers: [HeaderField("Allow", methods.joined(separator: ", "))]), ByteBuffer())
    }

    private func write(_ head: ResponseHead, _ bytes: ByteBuffer) throws(Problem) {
        let plan = try ResponsePlan(head, length: bytes.readableBytes, context: exchange.response)
        guard let context else { return }
        let keepsAlive = state.responding(isWhole: true)
        var length = bytes.readableBytes
        if case .absent = plan.framing { length = 0 }
        let isJoined = length <= Self.joined
        let text = try self.text(of: plan, keepsAlive: keepsAlive, body: isJoined && length > 0 ? bytes : nil)
        if isJoined {
            send(text, context)
        } else {
            queue(ByteBuffer(bytes: text), context)
            queue(bytes, context)
            context.flush()
        }
        ended()
    }

    /// The head, and a body behind it, in the lane's memory: to be sent before anything else is written.
    private func text(
        of plan: ResponsePlan, keepsAlive: Bool, body: ByteBuffer?
    ) throws(Problem) -> UnsafeRawBufferPointer {
        let trailer = lane.responseTrailer()
        var text = TextWriter(lane.memory(for: plan.room(trailer: trailer) + (body?.readableBytes ?? 0)))
        try plan.write(
            to: &text, context: exchange.response, keepsAlive: keepsAlive, invocation: exchange.invocation,
            trailer: trailer)
        body?.withUnsafeReadableBytes { text.write($0) }
        return text.bytes
    }

    private func ended() {
        let (stream, isFarewell) = (exchange.stream, exchange.response.isFarewell)
        // Whatever is answered before the next head, since none can be read, is no answer to a `HEAD`.
        exchange.renew(ResponseContext())
        stream?.fail(CancellationError())
        guard state.responseEnded(now: .coarse) else { return }
        // Nothing is to come that the kernel would answer with a reset, which could overtake the response.
        let isAlone = input.readableBytes == 0 && !decoder.hasSurplus
        if isFarewell, isAlone, !mustQueue { abort() } else { closeGently() }
    }

    // MARK: Streams

    /// `nil`: nobody waits for it.
    fileprivate func open(_ head: ResponseHead, _ number: Int) -> ResponseFraming? {
        guard number == exchange.number, let context else { return nil }
        do throws(Problem) {
            let plan = try ResponsePlan(head, length: nil, context: exchange.response)
            if case .untilClose = plan.framing { state.accepted(keepsAlive: false) }
            var isWhole = false
            if case .absent = plan.framing { isWhole = true }
            let keepsAlive = state.responding(isWhole: isWhole)
            send(try text(of: plan, keepsAlive: keepsAlive, body: nil), context)
            // To write is to learn that the client has gone, and then the exchange is another, here and below.
            guard number == exchange.number else { return nil }
            exchange.writing = OpenResponse(plan.framing)
            if case .upgrade = plan.framing { receiveUpgraded() }
            return plan.framing
        } catch {
            fail(error, number)
            return nil
        }
    }

    /// Writes a chunk; `continuation` learns, as soon as there is room for more, whether anyone wants it.
    fileprivate func write(_ chunk: ByteBuffer, _ number: Int, _ continuation: CheckedContinuation<Bool, Never>) {
        guard number == exchange.number, let context, let writing = exchange.writing else {
            return continuation.resume(returning: false)
        }
        if let left = writing.left {
            guard left >= chunk.readableBytes else {
                abort()
                return continuation.resume(returning: false)
            }
            writing.left = left - Int64(chunk.readableBytes)
        }
        if chunk.readableBytes > 0 {
            var buffer = chunk
            if case .chunked = writing.framing {
                buffer = context.channel.allocator.buffer(capacity: chunk.readableBytes + 16)
                buffer.writeChunk(chunk)
            }
            send(buffer, context)
        }
        guard number == exchange.number else { return continuation.resume(returning: false) }
        if context.channel.isWritable { continuation.resume(returning: true) } else { writing.wait(continuation) }
    }

    fileprivate func closeStream(_ number: Int, trailers: [HeaderField] = []) {
        guard number == exchange.number, let context, let writing = exchange.writing else { return }
        if let left = writing.left, left > 0 { return abort() }
        if case .chunked = writing.framing {
            var buffer = context.channel.allocator.buffer(capacity: 8)
            buffer.writeLastChunk(exchange.response.takesTrailers ? trailers : [])
            send(buffer, context)
        }
        guard number == exchange.number else { return }
        ended()
        proceed()
    }

    fileprivate func breakStream(_ number: Int) {
        if number == exchange.number { abort() }
    }

    // MARK: The end

    /// Answers with `problem` and closes; the running call, if there is one, is cancelled.
    func refuse(_ problem: Problem) {
        let (isSending, invocation) = (state.isSending, exchange.invocation)
        giveUpExchange(problem)
        if isSending { return abort() }
        exchange.invocation = invocation
        state.accepted(keepsAlive: false)
        answer(problem)
    }

    /// Closes after all that has been written is on its way: first our side, then, when the client has closed its own
    /// or the time for that is over, the socket.
    func closeGently() {
        guard let context else { return }
        guard mustQueue else {
            closeOutput()
            return read()
        }
        state.close(now: .now())
        let flushed = context.eventLoop.makePromise(of: Void.self)
        let handle = ConnectionHandle(self)
        flushed.futureResult.whenSuccess { handle.run { $0.closeOutput() } }
        queue(lane.nothing, context, promise: flushed)
        context.flush()
        read()
    }

    private func closeOutput() {
        state.close(now: .now())
        context?.close(mode: state.isInputClosed ? .all : .output, promise: nil)
    }
}

/// A connection, from anywhere: work for it is run on its loop.
struct ConnectionHandle: Sendable {
    private let connection: NIOLoopBound<HTTPConnection>

    /// Only on the connection's loop.
    init(_ connection: HTTPConnection) {
        self.connection = NIOLoopBound(connection, eventLoop: connection.lane.lane.loop)
    }

    func run(_ work: @escaping @Sendable (HTTPConnection) -> Void) {
        if connection.eventLoop.inEventLoop {
            work(connection.value)
        } else {
            connection.eventLoop.execute { work(connection.value) }
        }
    }

    /// Sends a response that is there as a whole. `false` for any other.
    fileprivate func finish(_ reply: Reply, _ number: Int) -> Bool {
        guard reply.redirect == nil, reply.invocation == nil, case .bytes(let bytes) = reply.body else { return false }
        let head = reply.head
        // Nearly always it is there, without a closure to be made.
        if connection.eventLoop.inEventLoop {
            connection.value.finish(head, bytes, number)
        } else {
            run { $0.finish(head, bytes, number) }
        }
        return true
    }

    /// The request has its reply.
    fileprivate func end(_ result: Result<Reply, Problem>, of id: InvocationID, to head: RequestHead, _ number: Int) {
        switch result {
        case .success(let reply):
            if finish(reply, number) { return }
            run { $0.give(reply, of: id, to: head, number) }
        case .failure(let problem): fail(problem, number)
        }
    }

    @inline(never)
    fileprivate func fail(_ problem: Problem, _ number: Int) { run { $0.fail(problem, number) } }

    /// Sends what `finish` does not.
    @inline(never)
    fileprivate func give(
        _ reply: Reply, of invocation: InvocationID, to request: RequestHead, _ number: Int, shared: GatewayShared,
        on lane: Lane
    ) async {
        var reply = reply
        if reply.redirect != nil {
            let answering: InvocationID
            do throws(Problem) {
                (reply, answering) = try await shared.follow(reply, of: invocation, to: request, on: lane)
            } catch {
                return fail(error, number)
            }
            run { $0.answers(answering, number) }
        }
        if let answering = reply.invocation {
            run { $0.answers(answering, number) }
            reply.invocation = nil
        }
        if finish(reply, number) { return }
        if case .stream(let stream) = reply.body { await send(reply.head, stream, number) }
    }

    /// Sends a response whose body is `stream`, at the pace of the client.
    private func send(_ head: ResponseHead, _ stream: BodyStream, _ number: Int) async {
        let framing = await withCheckedContinuation { continuation in
            run { continuation.resume(returning: $0.open(head, number)) }
        }
        guard let framing else { return stream.cancel() }
        if case .absent = framing {
            stream.cancel()
            return run { $0.closeStream(number) }
        }
        do {
            while let chunk = try await stream.next() {
                let goesOn = await withCheckedContinuation { continuation in
                    run { $0.write(chunk, number, continuation) }
                }
                if !goesOn { return stream.cancel() }
            }
            let trailers = stream.trailers
            run { $0.closeStream(number, trailers: trailers) }
        } catch {
            stream.cancel()
            run { $0.breakStream(number) }
        }
    }
}

extension Reply {
    /// Nobody will read it.
    fileprivate func discard() { if case .stream(let stream) = body { stream.cancel() } }
}
