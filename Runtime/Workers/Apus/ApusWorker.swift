import Events
import Manifests
import NIOCore
import NIOPosix
import Synchronization

/// A worker that speaks the `apus` contract: a process and the connection to it.
///
/// Its methods may be called on any thread; what they do happens on its lane.
final class ApusWorker: Worker {
    /// What an idle worker gets to answer a goodbye with its exit.
    private static let farewell = TimeAmount.seconds(1)

    private let process: HandlerProcess
    private let connection: ApusConnection
    private let templates: Templates?
    private var lane: Lane { process.lane }

    /// - Parameter templates: copies come from there, where there is a template.
    init(
        _ manifest: Manifest, number: Int, lane: Lane, reports: WorkerReports, output: @escaping WorkerOutput,
        templates: Templates? = nil
    ) {
        process = HandlerProcess(manifest, number: number, lane: lane, output: output)
        connection = ApusConnection(process, reports: reports)
        self.templates = templates
    }

    var pid: Int32 { process.pid }

    func start(calmly: Bool) {
        lane.run { [self] in
            process.isCalm = calmly
            if let template = templates?.ready { startAsCopy(of: template) } else { startAnew() }
        }
    }

    func hurry() { lane.run { [process] in process.hurry() } }

    private func startAnew() {
        connection.onTemplate = templates.map { templates in { templates.areWanted() } }
        process.start(wire: Wiring.frames) { [self] wiring in
            hasStarted(wiring)
        } failed: { [connection] failure in
            connection.failedToStart(failure)
        } exited: { [connection] exit in
            connection.processEnded(exit)
        }
    }

    private func startAsCopy(of template: Template) {
        process.start(asCopyOf: template) { [self] wiring in
            hasStarted(wiring)
        } failed: { [self] failure in
            process.say("warning", "\(failure); starting it anew")
            startAnew()
        } exited: { [connection] exit in
            connection.processEnded(exit)
        }
    }

    private func hasStarted(_ wiring: Wiring) {
        connection.awaitHello()
        process.readLines(wiring.output, as: .stdout)
        connection.connects(over: wiring.socket)
        process.attach(Self.connect(wiring.socket, connection, on: lane.loop))
    }

    func run(_ call: Call) -> any CallRun { ApusCall(call, on: connection) }

    func recall() { lane.run { [connection] in connection.recall() } }

    var callTime: Duration? {
        let time = connection.callTime.load(ordering: .relaxed)
        return time == 0 ? nil : .nanoseconds(Int64(time))
    }

    func stop(because reason: String) {
        lane.run { [self] in
            process.noteReason(reason)
            guard connection.sayGoodbye() else { return process.terminate(because: reason) }
            lane.loop.scheduleTask(in: Self.farewell) { [process] in process.terminate(because: reason) }
        }
    }

    func kill(because reason: String) {
        lane.run { [process] in process.kill(because: reason) }
    }

    private static func connect(
        _ socket: Int32, _ connection: ApusConnection, on loop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop)
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16384, maximum: 128 << 10)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(connection) }
            }
            .withConnectedSocket(socket)
    }
}

extension Lane {
    /// Runs `body` on the loop: at once when this is its thread, else soon.
    func run(_ body: @escaping @Sendable () -> Void) {
        if loop.inEventLoop { body() } else { loop.execute(body) }
    }
}
