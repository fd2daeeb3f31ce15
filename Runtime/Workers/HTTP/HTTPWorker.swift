import Events
import Manifests
import NIOCore

/// A worker by the `http` contract: a process that listens on the `PORT` that it is told, on loopback.
///
/// Its methods may be called on any thread; what they do happens on its lane.
final class HTTPWorker: Worker {
    private let process: HandlerProcess
    private let server: UpstreamServer
    private let path: String
    private var lane: Lane { process.lane }

    init(
        _ manifest: Manifest, number: Int, lane: Lane, access: WorkerAccess?, reports: WorkerReports,
        output: @escaping WorkerOutput
    ) {
        process = HandlerProcess(manifest, number: number, lane: lane, access: access, output: output)
        server = UpstreamServer(process, reports: reports)
        path = manifest.handler.path
    }

    var pid: Int32 { process.pid }

    func start(calmly: Bool) {
        lane.run { [process, server] in
            process.isCalm = calmly
            server.start()
        }
    }

    func hurry() { lane.run { [process] in process.hurry() } }

    func perform(_ call: Call) async throws(CallFailure) -> Answer? {
        let deadline = NIODeadline.now() + .nanoseconds(call.time.nanoseconds)
        let exchange = HTTPExchange(
            UpstreamRequest(call, path: path), invocation: call.invocation.id, on: lane)
        let outcome: Result<Answer, CallFailure>? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lane.run { [server] in
                    exchange.tell = { continuation.resume(returning: $0) }
                    guard !server.begin(exchange, until: deadline) else { return }
                    exchange.tell = nil
                    continuation.resume(returning: nil)
                }
            }
        } onCancel: {
            lane.loop.execute { [server] in server.cancel(exchange) }
        }
        return try outcome?.get()
    }

    func stop(because reason: String) { lane.run { [server] in server.stop(because: reason) } }

    func kill(because reason: String) { lane.run { [process] in process.kill(because: reason) } }
}
