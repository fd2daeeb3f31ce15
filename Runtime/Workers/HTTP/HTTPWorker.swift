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

    func run(_ call: Call) -> any CallRun {
        HTTPRun(HTTPExchange(UpstreamRequest(call, path: path), invocation: call.invocation.id, on: lane), call, server)
    }

    func stop(because reason: String) { lane.run { [server] in server.stop(because: reason) } }

    func kill(because reason: String) { lane.run { [process] in process.kill(because: reason) } }
}

/// A call of such a worker.
private final class HTTPRun: CallRun {
    private let exchange: HTTPExchange
    private let server: UpstreamServer
    private let deadline: NIODeadline
    private var lane: Lane { server.process.lane }

    init(_ exchange: HTTPExchange, _ call: Call, _ server: UpstreamServer) {
        self.exchange = exchange
        self.server = server
        deadline = .now() + .nanoseconds(call.time.nanoseconds)
    }

    func begin(_ end: @escaping CallEnd) {
        lane.run { [self] in
            // Soon: the server is in the middle of something when it tells.
            exchange.tell = { [lane] answer in lane.loop.execute { end(answer) } }
            guard !server.begin(exchange, until: deadline) else { return }
            exchange.tell = nil
            end(nil)
        }
    }

    func cancel() { lane.loop.execute { [self] in server.cancel(exchange) } }
}
