import CProcess
import Events
import Glibc
import Manifests
import NIOCore
import NIOPosix
import Wire

/// A worker that has been loaded and runs no calls: it copies itself for each worker that is needed. Confined to its
/// lane, except for what says otherwise.
final class Template: ChannelInboundHandler, @unchecked Sendable {
    // `@unchecked`: every `var` is touched on the lane's loop alone.
    typealias InboundIn = ByteBuffer
    typealias Answer = (Result<Int32, CallFailure>) -> Void

    /// What it gets from its start to its first frame, and from the question for a copy to its answer.
    private static let patience = TimeAmount.seconds(10)

    private let process: HandlerProcess
    private let onReady: () -> Void
    private let onEnd: () -> Void
    private var isReady = false
    private var hasEnded = false
    private var socket: Int32 = -1
    private var channel: (any Channel)?
    private var input = ByteBuffer()
    private var asked: [UInt32: Answer] = [:]
    private var alarm: Scheduled<Void>?

    var lane: Lane { process.lane }
    /// The directory in which its copies have their own.
    var folder: String { process.folder }
    /// Of its processes, and of its copies until they are taken over.
    var mark: WorkerMark { WorkerMark(temporaryDirectory: folder).ofTemplate }

    /// - Parameters:
    ///   - onReady: on the lane, once it can be copied.
    ///   - onEnd: on the lane, once its process is gone.
    init(
        _ manifest: Manifest, lane: Lane, output: @escaping WorkerOutput, onReady: @escaping @Sendable () -> Void,
        onEnd: @escaping @Sendable () -> Void
    ) {
        process = HandlerProcess(manifest, number: 0, lane: lane, output: output)
        self.onReady = onReady
        self.onEnd = onEnd
    }

    func start() {
        alarm = lane.loop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in
            process.kill(because: "it sent no HELLO within 10 s of its start")
        }
        process.start(wire: Wiring.frames) { [self] wiring in
            socket = wiring.socket
            process.readLines(wiring.output, as: .stdout)
            process.attach(connect())
        } failed: { [self] failure in
            process.say("error", failure.message)
            end()
        } exited: { [self] _ in
            end()
        }
    }

    /// Asks for a copy, which gets `descriptors` as its 3, 1 and 2. They can be closed once `answer` has its number.
    func copy(
        _ number: UInt32, environment: [WireField], descriptors: (Int32, Int32, Int32), answer: @escaping Answer
    ) {
        guard let channel, channel.isActive, !hasEnded else { return answer(.failure(Self.gone)) }
        SandboxGuard.shared.allowCopy(mark)
        var writer = ByteWriter()
        Frame(call: 0, .fork(number: number, environment: environment)).encode(into: &writer)
        let places = [descriptors.0, descriptors.1, descriptors.2]
        // Past the channel, which cannot send descriptors; nothing else is ever sent before the goodbye.
        let sent = writer.bytes.withUnsafeBytes {
            apus_send_descriptors(socket, $0.baseAddress, $0.count, places, Int32(places.count))
        }
        guard sent == writer.bytes.count else {
            process.kill(because: "it does not read what it is asked")
            return answer(.failure(Self.gone))
        }
        asked[number] = answer
        lane.loop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in
            if asked[number] != nil { process.kill(because: "it gave no copy within 10 s") }
        }
    }

    /// Gives a copy away that it has made, from when on that has `mark`. Returns a descriptor that tells of its end.
    func give(_ copy: Int32, _ mark: WorkerMark) throws(CallFailure) -> Int32 {
        let pidfd = copy == process.pid ? -ECHILD : apus_take_over(copy, self.mark.value, mark.value)
        guard pidfd < 0 else { return pidfd }
        let reason =
            pidfd == -ECHILD
            ? "it broke the contract: FORKED names process \(copy), which is no copy of it"
            : "its copy cannot be taken over: \(describe(-pidfd))"
        kill(because: reason)
        throw CallFailure(.startFailed, "a template was killed: \(reason)")
    }

    /// Safe from any thread.
    func stop() {
        lane.run { [self] in
            guard let channel, channel.isActive else { return process.kill(because: "the function is idle") }
            process.noteReason("the function is idle")
            var writer = ByteWriter()
            Frame(call: 0, .goodbye).encode(into: &writer)
            channel.writeAndFlush(channel.allocator.buffer(bytes: writer.bytes), promise: nil)
            lane.loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [process] in
                process.kill(because: "it did not answer a goodbye")
            }
        }
    }

    private func connect() -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: lane.loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(self) }
        }.withConnectedSocket(socket)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { channel = context.channel }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        do {
            var offset = 0
            while let frame = try input.withUnsafeReadableBytes({ try Frame.decode(from: $0, at: &offset) }) {
                receive(frame)
            }
            input.moveReaderIndex(forwardBy: offset)
            input.discardReadBytes()
        } catch {
            kill(because: "it broke the contract: \(error)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        channel = nil
        process.kill(because: "it closed its connection")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func receive(_ frame: Frame) {
        switch frame.message {
        case .hello(let hello) where !isReady && hello.triggers & Hello.canFork != 0:
            alarm?.cancel()
            isReady = true
            onReady()
        case .forked(let number, let copy, let reason):
            guard let answer = asked.removeValue(forKey: number) else {
                return kill(because: "it broke the contract: FORKED without a FORK")
            }
            let failure = CallFailure(.startFailed, "a template gave no copy: \(reason)")
            answer(copy > 0 ? .success(Int32(clamping: copy)) : .failure(failure))
        default: kill(because: "it broke the contract: a template does not send \(frame.message.name)")
        }
    }

    private func kill(because reason: String) {
        process.say("error", "template killed: \(reason)")
        process.kill(because: reason)
    }

    private func end() {
        alarm?.cancel()
        hasEnded = true
        // Copies that nobody has taken over, and nobody will.
        NIOThreadPool.singleton.submit { [mark] _ in apus_reap_marked(mark.value) }
        let asked = asked.values
        self.asked = [:]
        for answer in asked { answer(.failure(Self.gone)) }
        onEnd()
    }

    private static let gone = CallFailure(.startFailed, "a template ended before it gave a copy")
}
