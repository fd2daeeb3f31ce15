import Events
import NIOCore
import NIOPosix

/// One invocation by the `stdio` contract: one process. Confined to its lane's event loop.
final class StdioCall: @unchecked Sendable {
    // `@unchecked`: every `var` is touched on the lane's loop alone.

    /// Output up to this is held back until the exit status is known, so that a filter that fails gets a proper error.
    static let heldBack = 64 << 10

    let process: HandlerProcess
    private let call: Call
    private let ended: (_ startFailure: CallFailure?) -> Void

    private var continuation: CheckedContinuation<Result<Answer, CallFailure>, Never>?
    private var isOver = false
    /// The process is gone too.
    private var isFinished = false
    private var onFinish: (() -> Void)?
    private var deadline: Scheduled<Void>?
    private var output = ByteBuffer()
    private var stream: BodyStream?
    private var outputChannel: (any Channel)?
    private var feed: Task<Void, Never>?

    init(_ call: Call, _ process: HandlerProcess, ended: @escaping @Sendable (_ startFailure: CallFailure?) -> Void) {
        self.call = call
        self.process = process
        self.ended = ended
    }

    private var isRequest: Bool { call.invocation.trigger == .http }

    func begin(_ continuation: CheckedContinuation<Result<Answer, CallFailure>, Never>) {
        if isOver {
            return finish { continuation.resume(returning: .failure(.cancelledByCaller)) }
        }
        self.continuation = continuation
        process.currentInvocation = { [id = call.invocation.id] in id }
        deadline = process.lane.loop.assumeIsolated().scheduleTask(
            in: .nanoseconds(call.time.nanoseconds)
        ) { [self] in expire() }
        process.start(environment: StdioEnvironment(call.invocation).variables, wire: Wiring.pipes) { [self] wiring in
            feedInput(wiring.input)
            if isRequest { readOutput(wiring.output) } else { process.readLines(wiring.output, as: .stdout) }
        } failed: { [self] failure in
            process.say("error", failure.message)
            finish(startFailure: failure) { fail(failure) }
        } exited: { [self] exit in
            finish { conclude(exit) }
        }
    }

    // MARK: Input

    private func feedInput(_ descriptor: Int32) {
        NIOPipeBootstrap(group: process.lane.loop)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 128 << 10))
            .takingOwnershipOfDescriptor(output: descriptor).assumeIsolated().whenSuccess { [self] channel in
                process.attach(channel.eventLoop.makeSucceededFuture(channel))
                // Unstructured: the program reads while it writes. Ends with the body or with the program.
                feed = Task(executorPreference: process.lane) { [self] in await write(to: channel) }
            }
    }

    /// A program need not read its input: that it closes the pipe is no failure.
    private func write(to channel: any Channel) async {
        do {
            switch (call.invocation.cause, call.body) {
            case (.event(_, let event), _):
                try await channel.writeAndFlush(ByteBuffer(string: CloudEventJSON(event).text))
            case (.request, .bytes(let bytes)):
                if bytes.readableBytes > 0 { try await channel.writeAndFlush(bytes) }
            case (.request, .stream(let body)):
                while let chunk = try await body.next() { try await channel.writeAndFlush(chunk) }
            }
        } catch is ChannelError {
        } catch is IOError {
        } catch {
            // The body is not complete: a filter must not take what came for all of it.
            if !isOver { process.terminate(because: "the request's body broke off: \(error)") }
        }
        if case .stream(let body) = call.body { body.cancel() }
        channel.close(promise: nil)
    }

    // MARK: Output

    private func readOutput(_ descriptor: Int32) {
        let channel = NIOPipeBootstrap(group: process.lane.loop).channelInitializer { [self] channel in
            channel.eventLoop.makeCompletedFuture { [self] in
                try channel.pipeline.syncOperations.addHandler(StdioReader(receive))
            }
        }.takingOwnershipOfDescriptor(input: descriptor)
        channel.assumeIsolated().whenSuccess { [self] in outputChannel = $0 }
        process.attach(channel)
    }

    private func receive(_ bytes: ByteBuffer) {
        var bytes = bytes
        if let stream {
            if !stream.write(bytes) { pause(true) }
            return
        }
        output.writeBuffer(&bytes)
        guard output.readableBytes > Self.heldBack, !isOver else { return }
        // This holds the stream, so the stream must not hold this; the process does until it ends.
        let stream = BodyStream { [weak self] in
            guard let self else { return }
            process.lane.run { self.pause(false) }
        } onCancel: { [weak self] in
            guard let self else { return }
            process.lane.run { self.cancel() }
        }
        self.stream = stream
        if !stream.write(output) { pause(true) }
        output = ByteBuffer()
        answer(.success(.response(Self.head, .stream(stream))))
    }

    private func pause(_ pause: Bool) {
        try? outputChannel?.syncOptions?.setOption(.autoRead, value: !pause)
    }

    private static let head = ResponseHead(
        status: 200, headers: [HeaderField("content-type", "text/plain; charset=utf-8")])

    // MARK: End

    private func conclude(_ exit: ProcessExit) {
        guard !isOver else { return }
        switch exit {
        case .status(0):
            stream?.finish()
            answer(.success(isRequest ? .response(Self.head, .bytes(output)) : .acknowledged))
        case .status: fail(CallFailure(.handlerFailed, "the program failed: \(process.describe(exit))"))
        case .signal, .unknown: fail(CallFailure(.workerDied, "the program died: \(process.describe(exit))"))
        }
    }

    private func expire() {
        guard !isOver else { return }
        let limit = "ran past its time limit of \(call.time) (limits.time)"
        fail(CallFailure(.timedOut, "the program \(limit)"))
        process.say("warning", "worker stopped: a call \(limit)")
        process.terminate(because: "a call \(limit)")
    }

    func cancel() {
        guard !isOver else { return }
        fail(.cancelledByCaller)
        process.terminate(because: "the caller has gone")
        pause(false)
    }

    private func fail(_ failure: CallFailure) {
        isOver = true
        answer(.failure(failure))
        stream?.fail(failure)
        pause(false)
    }

    private func answer(_ answer: Result<Answer, CallFailure>) {
        continuation?.resume(returning: answer)
        continuation = nil
    }

    /// The place is free first, then `tell` answers: who hears it may call again at once.
    private func finish(startFailure: CallFailure? = nil, _ tell: () -> Void) {
        deadline?.cancel()
        feed?.cancel()
        isFinished = true
        ended(startFailure)
        tell()
        isOver = true
        onFinish?()
    }

    /// Calls `body` once everything is over.
    func whenFinished(_ body: @escaping () -> Void) {
        if isFinished { body() } else { onFinish = body }
    }
}

/// Hands on what a pipe gives.
private final class StdioReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let onBytes: (ByteBuffer) -> Void

    init(_ onBytes: @escaping (ByteBuffer) -> Void) { self.onBytes = onBytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onBytes(unwrapInboundIn(data)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
