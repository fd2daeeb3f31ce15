import Events
import Manifests
import NIOCore
import Synchronization
import Wire

/// The host's side of the `apus` contract on one socket: calls out, answers in. `docs/worker-protocol.md` describes it.
///
/// Frames that are there are read at once, and what they cause is written at once.
final class ApusConnection: ChannelInboundHandler, @unchecked Sendable {
    // `@unchecked`: confined to `loop`, the lane's event loop, as every channel handler is.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Calls that a worker which runs one at a time is sent ahead of their turn.
    private static let mostAhead = 3
    /// Body bytes that either side may send in a call before the other grants more.
    static let window = 256 << 10
    /// What a worker gets from its start to its first frame.
    private static let startLimit = TimeAmount.seconds(10)
    /// What may wait, of all calls, before nothing more is read.
    private static let mostWaiting = WaitingOperations(count: 1024, bytes: 16 << 20)

    enum Phase {
        /// Until HELLO.
        case starting
        case ready
        /// Takes no more calls.
        case closing
        /// Nothing that it says counts any more.
        case broken
        case ended
    }

    let process: HandlerProcess
    let reports: WorkerReports
    var phase = Phase.starting
    var calls: [UInt32: ApusCall] = [:]
    var lastCall: UInt32 = 0
    /// Those of `calls` that the worker was sent ahead of their turn, in their order, and that it may not have begun.
    var ahead: [ApusCall] = []
    /// What calls take, in nanoseconds, as the worker says; 0: it has not. For any thread.
    let callTime = Atomic<UInt32>(0)
    /// The earliest deadline, which is being watched.
    var alarm: (deadline: NIODeadline, timer: Scheduled<Void>)?
    /// Of all calls.
    var waitingOperations = WaitingOperations() { didSet { adjustReading() } }
    /// Why the worker is being stopped, once a call gave reason to.
    var stopReason: String?
    /// The last call that ended and left none running, for lines that arrive after it.
    var lastEnded: (invocation: InvocationID, at: NIODeadline)?

    private(set) var channelContext: ChannelHandlerContext?
    /// Its descriptor, which is the channel's.
    private(set) var socket: CInt = -1
    private var output = StraightOutput(nil)
    /// That it shares with the worker, once that can.
    var memory: SharedMemory?
    /// The worker can look up values in memory; those that it was given, and how often it has asked for one.
    private(set) var canLookUp = false
    var offeredValues: ValueRing?
    var lookups = 0
    /// What was read from there last.
    var fromMemory: ByteBuffer
    /// The lane looks into the memory: the worker need not ring.
    var isAttended = false
    /// Shared with nobody, unlike NIO's own empty buffer, whose count of owners all threads change.
    let nothing = ByteBufferAllocator().buffer(capacity: 1)
    private var input: ByteBuffer
    var outbox = ByteWriter(reserving: 4096)
    private var isReading = false
    private var flushIsDue = false
    private(set) var isPaused = false
    private var startTimer: Scheduled<Void>?
    /// Told, once, that the worker can be a template.
    var onTemplate: (() -> Void)?
    /// Why the worker cannot be used, when the host knows better than its exit says.
    private var startFailure: String?

    var loop: any EventLoop { process.lane.loop }
    private var manifest: Manifest { process.manifest }

    init(_ process: HandlerProcess, reports: WorkerReports) {
        self.process = process
        self.reports = reports
        input = nothing
        fromMemory = nothing
    }

    // MARK: Life

    func awaitHello() {
        // Not weak, which would make each use of it slower; until its end, the process holds what holds it.
        process.currentInvocation = { [self] in currentInvocation }
        startTimer = loop.assumeIsolated().scheduleTask(in: Self.startLimit) { [self] in
            refuse("it sent no HELLO within 10 s of its start")
        }
    }

    func failedToStart(_ failure: CallFailure) {
        startTimer?.cancel()
        phase = .ended
        process.say("error", failure.message)
        reports.exited(failure.message)
    }

    /// The process is gone and everything that it had sent has been read.
    func processEnded(_ exit: ProcessExit) {
        startTimer?.cancel()
        alarm?.timer.cancel()
        let wasStarting = phase == .starting
        phase = .ended
        let how = process.describe(exit)
        let ended = calls.values
        calls = [:]
        ahead = []
        for call in ended {
            call.fail(CallFailure(.workerDied, "the worker ended in the middle of the call: \(how)"))
            stopUpload(of: call)
        }
        reports.exited(startFailure ?? (wasStarting ? "the worker ended before it was ready: \(how)" : how))
    }

    /// Asks the worker to end. `false` when it cannot be asked.
    func sayGoodbye() -> Bool {
        guard phase == .ready, channelContext != nil else { return false }
        phase = .closing
        send(Frame(call: 0, .goodbye))
        return true
    }

    /// Gives up on a worker that has not become ready.
    private func refuse(_ reason: String) {
        phase = .broken
        startFailure = "the worker cannot start: \(reason)"
        process.say("error", "the worker cannot start: \(reason)")
        process.kill(because: reason)
    }

    /// The worker does what the contract does not allow: nothing that it says counts from here on.
    func breakContract(_ what: String) {
        guard phase != .ended, phase != .broken else { return }
        if phase == .starting { return refuse(what) }
        process.say("error", "worker killed: it broke the contract: \(what)")
        recall()
        for call in calls.values { call.fail(CallFailure(.contractBroken, "the worker broke the contract: \(what)")) }
        close()
        phase = .broken
        process.kill(because: "it broke the contract: \(what)")
    }

    /// Takes no more calls.
    func close() {
        guard phase == .ready else { return }
        phase = .closing
        recall()
        reports.closing()
    }

    // MARK: Channel

    /// - Parameter descriptor: of the socket that its channel will have.
    func connects(over descriptor: CInt) {
        socket = descriptor
        output = StraightOutput(descriptor)
    }

    func handlerAdded(context: ChannelHandlerContext) { channelContext = context }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .broken else { return }
        guard memory == nil else { return hear(unwrapInboundIn(data)) }
        receive(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) { endReading() }

    /// Handles the frames that are complete with these bytes, and keeps what is left.
    func receive(_ received: ByteBuffer) {
        isReading = true
        var bytes = received
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeBuffer(&bytes)
        }
        do {
            while phase != .ended, phase != .broken, try receiveFrame() {}
        } catch {
            breakContract("\(error)")
        }
        if input.readableBytes == 0 || phase == .broken { input = nothing }
    }

    /// Writes what the frames that were received have caused.
    func endReading() {
        isReading = false
        flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { adjustReading() }

    func channelInactive(context: ChannelHandlerContext) {
        // What the worker has written before its end counts.
        isPaused = false
        lookIntoMemory()
        recall()
        channelContext = nil
        memory = nil
        offeredValues = nil
        close()
        // A process without its socket is of no use, but usually it is about to end, and its exit says more.
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [process] in
            process.terminate(because: "it closed its connection")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Decodes and handles the next frame. `false` while it is not there as a whole.
    private func receiveFrame() throws -> Bool {
        var size = 0
        let frame = try input.withUnsafeReadableBytes { try Frame.decode(from: $0, at: &size) }
        guard let frame else { return false }
        if case .hello(let hello) = frame.message {
            receive(hello, isAlone: size == input.readableBytes)
        } else {
            // Slices outlive what `input` does next.
            receive(frame) { input.getSlice(at: input.readerIndex + $0.lowerBound, length: $0.count) ?? nothing }
        }
        input.moveReaderIndex(forwardBy: size)
        return true
    }

    /// Reads nothing while the worker does not read, or while its operations pile up.
    func adjustReading() {
        guard let context = channelContext else { return }
        let isBehind = memory == nil ? !context.channel.isWritable : isBacklogged
        let shouldPause = isBehind || waitingOperations.exceeds(Self.mostWaiting, divided: isPaused ? 2 : 1)
        guard shouldPause != isPaused else { return }
        isPaused = shouldPause
        guard memory == nil else { return shouldPause ? () : process.lane.memories.attend(to: self) }
        try? context.channel.syncOptions?.setOption(.autoRead, value: !shouldPause)
    }

    // MARK: Frames in

    private func receive(_ frame: Frame, bytes: (Range<Int>) -> ByteBuffer) {
        switch frame.message {
        case .log(let level, let text, let metadata): log(frame.call, level, text, metadata)
        case .response(let status, let headers, .range(let range), let end):
            respond(frame.call, status: status, headers, bytes(range), end: end)
        case .acknowledge: conclude(frame.call, .success(.acknowledged))
        case .failure(let permanent, let message):
            conclude(frame.call, .failure(CallFailure(.handlerFailed, message, permanent: permanent)))
        case .body(.range(let range), let end): receiveBody(frame.call, bytes(range), end: end)
        case .reset(let reason): reset(frame.call, reason)
        case .credit(let count): grantUpload(frame.call, Int(count))
        case .state(let request, let scope, let operation): operate(frame.call, request, scope, operation)
        case .forked: breakContract("a FORKED of a worker that is no template")
        case .hello, .response, .body, .welcome, .goodbye, .fork, .call, .cancel, .stateReply:
            breakContract("a worker does not send this frame: type \(frame.message)")
        }
    }

    /// - Parameter isAlone: nothing has come behind it.
    private func receive(_ hello: Hello, isAlone: Bool) {
        guard phase == .starting else { return breakContract("a second HELLO") }
        guard hello.version == Frame.protocolVersion else {
            return refuse("it speaks protocol version \(hello.version), the host \(Frame.protocolVersion)")
        }
        if let missing = TriggerMask(hello.triggers).missing(for: manifest) { return refuse(missing) }
        // What comes over the socket must not be mixed with what comes through memory.
        let canShare = hello.triggers & Hello.canShare != 0
        canLookUp = canShare && hello.triggers & Hello.canLookUp != 0
        let takesAhead = hello.triggers & Hello.canTakeAhead != 0
        if canShare, !isAlone { return refuse("it sent more than HELLO before it had WELCOME") }
        startTimer?.cancel()
        if hello.triggers & Hello.canFork != 0 { onTemplate?() }
        onTemplate = nil
        let welcome = Frame(
            call: 0,
            .welcome(
                Welcome(
                    concurrency: UInt32(manifest.workers.concurrency), window: UInt32(Self.window),
                    function: manifest.name)))
        // One call is over before memory is set up.
        let shares = canShare && manifest.workers.instance == .reuse && offerMemory(with: welcome)
        if !shares { send(welcome) }
        phase = .ready
        reports.ready(shares && takesAhead && manifest.workers.concurrency == 1 ? Self.mostAhead : 0)
    }

    // MARK: Frames out

    /// Adds a frame to what is sent at the end of this round.
    func send(_ frame: Frame) {
        guard channelContext != nil else { return }
        frame.encode(into: &outbox)
        scheduleFlush()
    }

    /// Adds the frame that begins a call, with the first bytes of its body.
    func send(_ call: ApusCall, body: ByteBuffer, end: Bool) {
        guard let context = channelContext else { return }
        let head = CallHead(startOf: call.call)
        let bytes = body.readableBytes
        Frame.encode(call: call.id, head, body: bytes, end: end, isAhead: call.isAhead, into: &outbox) { writer in
            switch call.call.invocation.cause {
            case .request(let request): writer.write(request)
            case .event(_, let event): writer.write(event.attributes)
            }
        }
        // With all of it, and all the calls that the worker may have, nothing is about to follow but other calls' bodies.
        add(body, context, isLast: end && calls.count >= manifest.workers.concurrency)
    }

    /// Adds a frame that carries an empty body, with `body` in its place.
    func send(_ frame: Frame, body: ByteBuffer) {
        guard let context = channelContext else { return }
        let start = outbox.count
        frame.encode(into: &outbox)
        let payload = outbox.count - start - Frame.headerSize
        outbox.replace(at: start, with: UInt32(payload + body.readableBytes))
        add(body, context)
    }

    private func add(_ body: ByteBuffer, _ context: ChannelHandlerContext, isLast: Bool = false) {
        if memory != nil || body.readableBytes <= 16 << 10 {
            body.withUnsafeReadableBytes { outbox.append($0) }
        } else {
            queueOutbox(context)
            context.write(wrapOutboundOut(body), promise: nil)
        }
        scheduleFlush(now: isLast)
    }

    /// Frames of one turn of the loop leave together. Before its end, with `now`, where no other is to come with them.
    private func scheduleFlush(now: Bool = false) {
        guard !isReading, !flushIsDue else { return }
        if now { return flush() }
        flushIsDue = true
        loop.assumeIsolated().execute { [self] in flush() }
    }

    private func flush() {
        flushIsDue = false
        guard let context = channelContext else { return }
        guard memory == nil else { return flushToMemory() }
        if !output.isBehind(context.channel) {
            guard outbox.count > 0 else { return }
            let sent = outbox.withUnsafeBytes { output.send($0, over: context.channel) }
            outbox.removeFirst(sent, keeping: 256 << 10)
            guard outbox.count > 0 else { return }
        }
        queueOutbox(context)
        context.flush()
    }

    private func queueOutbox(_ context: ChannelHandlerContext) {
        output.noteQueued()
        guard outbox.count > 0 else { return }
        var buffer = context.channel.allocator.buffer(capacity: outbox.count)
        outbox.withUnsafeBytes { _ = buffer.writeBytes($0) }
        context.write(wrapOutboundOut(buffer), promise: nil)
        outbox.removeFirst(outbox.count, keeping: 256 << 10)
    }
}
