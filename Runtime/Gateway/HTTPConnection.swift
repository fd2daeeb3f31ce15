import Engine
import Events
import NIOCore
import NIOPosix
import Synchronization
import Workers

/// One connection: executes what `ConnectionState` and `Admission` decide. Confined to its lane's loop.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let lane: GatewayLane
    var output: StraightOutput
    /// Beyond the limit on connections: the first request is refused.
    private var isSurplus = false
    private(set) var decoder: RequestDecoder
    /// Received, and not a whole part yet.
    var input: ByteBuffer
    var state: ConnectionState
    var context: ChannelHandlerContext?
    /// That of `context`, which asks its pipeline for it each time.
    var channel: (any Channel)?
    var exchange = Exchange()
    private var isPumping = false
    private var isReading = false
    private var remoteAddress = ""

    /// The request that is being read or answered.
    struct Exchange {
        /// Tells the results of this exchange from those of one that has been given up.
        var number = 0
        var response = ResponseContext()
        var invocation: InvocationID?
        var admitted: AdmittedRequest?
        /// The body, where it is read as a whole before the call.
        var collected: ByteBuffer?
        var stream: BodyStream?
        var running: (any RunningRequest)?
        var writing: OpenResponse?

        /// Gives way to the next one. In place, since this happens twice for each request.
        mutating func renew(_ response: ResponseContext) {
            number += 1
            self.response = response
            invocation = nil
            if admitted != nil { admitted = nil }
            if collected != nil { collected = nil }
            if stream != nil { stream = nil }
            if running != nil { running = nil }
            if writing != nil { writing = nil }
        }
    }

    /// - Parameter descriptor: of the channel's socket, which stays the channel's; `nil` in tests without one.
    init(lane: GatewayLane, descriptor: CInt? = nil) {
        self.lane = lane
        output = StraightOutput(descriptor)
        input = lane.nothing
        decoder = RequestDecoder(lane.configuration)
        state = ConnectionState(lane.configuration, now: .now())
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        channel = context.channel
        isSurplus = lane.add(self) > lane.configuration.connections
    }

    func channelActive(context: ChannelHandlerContext) {
        remoteAddress = context.channel.remoteAddress.map(Self.text) ?? ""
        if lane.isDraining { drain() }
        read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Self.unwrapInboundIn(data)
        if input.readableBytes > 0 {
            input.discardReadBytes()
            input.writeBuffer(&bytes)
        } else {
            input = bytes
        }
        if state.isUpgrade { receiveUpgraded() } else { decode() }
    }

    private func decode() {
        do throws(Problem) {
            while !state.isUpgrade, let part = try decoder.next(&input) { take(.part(part)) }
        } catch {
            take(.failure(error))
        }
        // The next read finds its buffer free.
        if input.readableBytes == 0 || state.isClosing { input = lane.nothing }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        state.readEnded(now: .coarse)
        read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return }
        switch state.inputClosed(unflushed: unflushed) {
        // If anything runs, the rest of its request can no longer come.
        case .close:
            giveUpExchange(Problem.incompleteBody)
            abort()
        case .giveUp:
            giveUpExchange(Problem.incompleteBody)
            closeGently()
        case .probe: probe()
        case .finish: exchange.stream?.finish()
        case .wait: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { exchange.writing?.wake() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { abort() }

    func channelInactive(context: ChannelHandlerContext) { gone() }

    func handlerRemoved(context: ChannelHandlerContext) {
        gone()
        self.context = nil
        channel = nil
    }

    // MARK: Life

    func drain() {
        guard state.drain(now: .now()) else { return }
        if unflushed == 0 { context?.close(promise: nil) } else { closeGently() }
    }

    /// Closes at once: without an answer, or in the middle of one, so that the client cannot take it for complete, or after
    /// the last.
    func abort() {
        gone()
        context?.close(promise: nil)
    }

    /// The time to drain is over: who still waits for an answer learns why there is none.
    func stop() {
        if exchange.running == nil { abort() } else { refuse(.stopping) }
    }

    func tick(_ now: NIODeadline) {
        switch state.tick(now: now, unflushed: unflushed) {
        case .none: break
        case .close: context?.close(promise: nil)
        case .giveUp: closeGently()
        case .reset: abort()
        case .refuse(let problem): refuse(problem)
        }
    }

    /// Bytes that wait for the client.
    var unflushed: Int { channel?.unflushed ?? 0 }

    /// The client has gone: nobody waits for the running call.
    private func gone() {
        lane.remove(self)
        giveUpExchange(CancellationError())
        state.close(now: .now())
    }

    /// Cancels the call; whatever it still gives is ignored.
    func giveUpExchange(_ reason: any Error) {
        let old = exchange
        exchange = Exchange(number: old.number + 1, response: old.response)
        old.stream?.fail(reason)
        old.running?.cancel()
        old.writing?.end()
    }

    /// A client that closed its side may wait for the answer or be gone: only a packet to it tells, since the kernel
    /// of one that is gone answers with a reset. An interim response is one that every HTTP/1.1 client can skip
    /// (RFC 9110 §15.2).
    private func probe() {
        if !exchange.response.isOld { writeContinue() }
    }

    func writeContinue() {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 32)
        buffer.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
        send(buffer, context)
    }

    func read() {
        guard !isReading, state.wantsRead, let context else { return }
        isReading = true
        context.read()
    }

    // MARK: Requests

    /// Handles what has just been received, or keeps it until an exchange is over.
    private func take(_ input: consuming Input) {
        guard !isPumping else { return state.received(input) }
        guard let step = state.step(input, now: .coarse) else { return }
        isPumping = true
        handle(step)
        isPumping = false
        pump()
    }

    /// Handles what has been kept, until an exchange must be waited for.
    func pump() {
        guard !isPumping else { return }
        isPumping = true
        while let step = state.next(now: .coarse) { handle(step) }
        isPumping = false
    }

    private func handle(_ step: ConnectionState.Step) {
        switch step {
        case .head(let head): begin(head)
        case .collect(var bytes):
            if exchange.collected?.writeBuffer(&bytes) == nil { exchange.collected = bytes }
        case .stream(let bytes):
            if exchange.stream?.write(bytes) == false { state.pauseBody() }
        case .tooLarge(let limit): refuse(.bodyTooLarge(limit: limit))
        case .end(let trailers):
            if let stream = exchange.stream {
                stream.finish(trailers: trailers)
            } else if let admitted = exchange.admitted.take() {
                if admitted.body == .upgrade, state.awaitsUpgrade() { return callForUpgrade(admitted) }
                call(admitted, body: .bytes(exchange.collected ?? lane.nothing))
            }
        case .failure(let problem): refuse(problem)
        case .giveUp: closeGently()
        }
    }

    private func begin(_ head: ReceivedHead) {
        exchange.renew(ResponseContext(head))
        if isSurplus { return refuse(.tooManyConnections) }
        state.accepted(keepsAlive: exchange.response.keepsAlive)
        let admission = Admission(
            head, router: lane.router, limits: lane.bodyLimits, remoteAddress: remoteAddress)
        switch admission {
        case .answer(let problem, closes: true): refuse(problem)
        case .answer(let problem, closes: false): answer(problem)
        case .options(let methods, let closes):
            if closes { state.accepted(keepsAlive: false) }
            answerOptions(methods)
        case .call(let request): begin(request)
        }
    }

    private func begin(_ request: AdmittedRequest) {
        if request.expectsContinue { writeContinue() }
        guard case .stream(let limit) = request.body else {
            if case .collect(let limit) = request.body { state.collects(limit: limit) }
            exchange.admitted = request
            return
        }
        state.streams(limit: limit)
        let stream = makeStream()
        exchange.stream = stream
        call(request, body: .stream(stream))
    }

    /// What the client sends from here on.
    func makeStream() -> BodyStream {
        let number = exchange.number
        let handle = ConnectionHandle(self)
        return BodyStream(
            onDemand: { handle.run { $0.resumeBody(number) } }, onCancel: { handle.run { $0.discardBody(number) } })
    }

    private func resumeBody(_ number: Int) {
        guard number == exchange.number else { return }
        state.resumeBody(now: .now())
        read()
    }

    private func discardBody(_ number: Int) {
        guard number == exchange.number else { return }
        state.discardBody(now: .now())
        read()
    }

    private static func text(_ address: SocketAddress) -> String {
        let numeric = address.ipAddress ?? ""
        // A socket for both families sees a client of IPv4 like this (RFC 4291 §2.5.5.2).
        let isMapped = numeric.hasPrefix("::ffff:") && numeric.contains(".")
        let host = isMapped ? String(numeric.dropFirst("::ffff:".count)) : numeric
        return (host.contains(":") ? "[\(host)]" : host) + ":\(address.port ?? 0)"
    }
}

@available(*, unavailable)
extension HTTPConnection: Sendable {}
