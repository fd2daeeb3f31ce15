import Events
import Manifests
import NIOCore

/// A worker that speaks the `lambda` contract: a runtime's process, and the endpoint that it asks for its events.
///
/// Its methods may be called on any thread; what they do happens on its lane.
final class LambdaWorker: Worker {
    private let process: HandlerProcess
    private let endpoint: RuntimeEndpoint
    private let number: Int
    private var lane: Lane { process.lane }

    init(
        _ manifest: Manifest, number: Int, lane: Lane, access: WorkerAccess?, reports: WorkerReports,
        output: @escaping WorkerOutput
    ) {
        self.number = number
        process = HandlerProcess(manifest, number: number, lane: lane, access: access, output: output)
        endpoint = RuntimeEndpoint(process, reports: reports)
    }

    var pid: Int32 { process.pid }

    func start(calmly: Bool) {
        lane.run { [self] in
            process.isCalm = calmly
            endpoint.listen { [self] port in launch(port) }
        }
    }

    func hurry() { lane.run { [process] in process.hurry() } }

    private func launch(_ port: Int) {
        let environment = LambdaEnvironment(process.manifest, port: port, worker: number, now: .now())
        process.start(
            environment: environment.variables, endpoints: Endpoints(connect: [port]), wire: Wiring.outputs
        ) { [process] wiring in
            process.readLines(wiring.output, as: .stdout)
        } failed: { [endpoint] failure in
            endpoint.failedToStart(failure)
        } exited: { [endpoint] exit in
            endpoint.processEnded(exit)
        }
    }

    func run(_ call: Call) -> any CallRun { LambdaCall(call, of: endpoint) }

    /// The contract has no goodbye.
    func stop(because reason: String) {
        lane.run { [endpoint] in endpoint.stop(because: reason) }
    }

    func kill(because reason: String) {
        lane.run { [process] in process.kill(because: reason) }
    }
}
