import Events
import NIOCore
import NIOPosix

/// One invocation by a contract with one process each: starts it, feeds it, and ends it when that is due. Confined to its
/// lane's event loop.
final class PerCallRun: CallRun, @unchecked Sendable {
    // `@unchecked`: every `var` is touched on the lane's loop alone.

    let process: HandlerProcess
    let call: Call
    let isRequest: Bool
    private let contract: any PerCallContract
    private let ended: (_ startFailure: CallFailure?) -> Void

    /// Who waits for the answer; `nil` once it is given.
    private var end: CallEnd?
    private var isStarted = false
    private var deadline: Scheduled<Void>?
    /// Reads the request's body.
    private var feed: Task<Void, Never>?
    /// What the caller shall hear, or has heard, is decided.
    private(set) var isOver = false
    /// Why it ended before it had begun.
    private var givenUp: CallFailure?
    /// The process is gone too.
    private var isFinished = false
    private var onFinish: (() -> Void)?
    var output: ProgramOutput
    var outputChannel: (any Channel)?
    /// The response's body, once its caller has the head.
    var stream: BodyStream?
    /// What an event's program prints.
    var lines = LineSplitter()

    init(
        _ call: Call, _ contract: any PerCallContract, _ process: HandlerProcess,
        ended: @escaping @Sendable (_ startFailure: CallFailure?) -> Void
    ) {
        self.call = call
        self.contract = contract
        self.process = process
        self.ended = ended
        isRequest = call.invocation.trigger == .http
        output = ProgramOutput(reader: contract.makeReader(), isRequest: isRequest)
    }

    // MARK: Start

    func begin(_ end: @escaping CallEnd) {
        process.lane.run { [self] in
            self.end = end
            begin()
        }
    }

    private func begin() {
        if let givenUp { return finish { answer(.failure(givenUp)) } }
        process.currentInvocation = { [id = call.invocation.id] in id }
        deadline = process.lane.loop.assumeIsolated().scheduleTask(
            in: .nanoseconds(call.time.nanoseconds)
        ) { [self] in expire() }
        let input = ProgramInput(call)
        if contract.tellsLength, case .stream(let body, length: nil) = input { return spool(body) }
        start(input, length: input.length)
    }

    /// Starts the process when all of the body has come.
    private func spool(_ body: BodyStream) {
        // Unstructured: the time limit and the caller's leave end it.
        feed = Task(executorPreference: process.lane) { [self] in
            do throws(CallFailure) {
                let spooled = try await SpooledBody.collect(body)
                if isOver { return finish {} }
                start(.file(spooled), length: spooled.length)
            } catch {
                finish { fail(error) }
            }
        }
    }

    private func start(_ input: ProgramInput, length: Int?) {
        isStarted = true
        process.start(environment: contract.variables(for: call.invocation, length: length), wire: input.wire) {
            [self] wiring in
            feedInput(input, wiring)
            readOutput(wiring.output)
        } failed: { [self] failure in
            process.say("error", failure.message)
            finish(startFailure: failure) { fail(failure) }
        } exited: { [self] exit in
            finish { conclude(exit) }
        }
    }

    // MARK: Input

    private func feedInput(_ input: ProgramInput, _ wiring: Wiring) {
        // A file needs no feeding, nor does what the pipe has taken.
        guard wiring.input >= 0 else { return }
        NIOPipeBootstrap(group: process.lane.loop)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 128 << 10))
            .takingOwnershipOfDescriptor(output: wiring.input).assumeIsolated().whenSuccess { [self] channel in
                process.attach(channel.eventLoop.makeSucceededFuture(channel))
                // Unstructured: the program reads while it writes. Ends with the body or with the program.
                feed = Task(executorPreference: process.lane) { [self] in
                    await write(input, after: wiring.written, to: channel)
                }
            }
    }

    /// A program need not read its input: that it closes the pipe is no failure.
    private func write(_ input: ProgramInput, after written: Int, to channel: any Channel) async {
        do {
            switch input {
            case .file: break
            case .bytes(let bytes): try await channel.writeAndFlush(bytes.dropFirst(written))
            case .stream(let body, _):
                while let chunk = try await body.next() { try await channel.writeAndFlush(chunk) }
            }
        } catch is ChannelError {
        } catch is IOError {
        } catch {
            // The body is not complete: a program must not take what came for all of it.
            if !isOver { process.terminate(because: call.body.cancellation(after: error).message) }
        }
        cancelBody()
        channel.close(promise: nil)
    }

    private func cancelBody() {
        if case .stream(let body) = call.body { body.cancel() }
    }

    // MARK: The end

    private func conclude(_ exit: ProcessExit) {
        guard !isOver else { return }
        switch exit {
        case .signal, .unknown: return fail(CallFailure(.workerDied, "the program died: \(process.describe(exit))"))
        case .status(let status):
            let isMinded = contract.mindsExitStatus || !isRequest || output.head == nil
            if status != 0, isMinded {
                return fail(CallFailure(.handlerFailed, "the program failed: \(process.describe(exit))"))
            }
        }
        concludeOutput()
    }

    private func expire() {
        guard !isOver else { return }
        let limit = "ran past its time limit of \(call.time) (limits.time)"
        fail(CallFailure(.timedOut, "the program \(limit)"))
        guard isStarted else { return stopFeed() }
        process.say("warning", "worker stopped: a call \(limit)")
        process.terminate(because: "a call \(limit)")
    }

    func cancel() { process.lane.run { self.leave() } }

    private func leave() {
        guard !isOver else { return }
        let failure = call.body.cancellation
        fail(failure)
        if isStarted { process.terminate(because: failure.message) } else { stopFeed() }
    }

    func terminate(because reason: String) {
        if isStarted { process.terminate(because: reason) } else { giveUp(reason) }
    }

    func kill(because reason: String) {
        if isStarted { process.kill(because: reason) } else { giveUp(reason) }
    }

    private func giveUp(_ reason: String) {
        guard !isOver else { return }
        fail(CallFailure(.workerDied, "the program was not started: \(reason)"))
        stopFeed()
    }

    /// Ends the wait for a body, and with it the call.
    private func stopFeed() { feed?.cancel() }

    func fail(_ failure: CallFailure) {
        isOver = true
        if end == nil { givenUp = failure }
        answer(.failure(failure))
        stream?.fail(failure)
        pauseOutput(false)
    }

    func answer(_ answer: Result<Answer, CallFailure>) {
        guard let end else { return }
        self.end = nil
        // Soon: the run is in the middle of something.
        process.lane.loop.execute { end(answer) }
    }

    /// The place is free first, then `tell` answers: who hears it may call again at once.
    private func finish(startFailure: CallFailure? = nil, _ tell: () -> Void) {
        deadline?.cancel()
        feed?.cancel()
        cancelBody()
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

extension ByteBuffer {
    fileprivate func dropFirst(_ count: Int) -> ByteBuffer {
        var rest = self
        rest.moveReaderIndex(forwardBy: count)
        return rest
    }
}
