package import Events
import Manifests
import Synchronization

/// What the processes of one worker reach through the worker API: the calls that this worker runs now.
package final class WorkerAccess: Sendable {
    private let directory: AccessDirectory
    /// A process runs one invocation, so that nothing that an earlier one has left running can be taken for it.
    private let isSingle: Bool
    /// In the order in which they began.
    private let calls = Mutex<[JoinedCall]>([])

    init(_ directory: AccessDirectory, manifest: Manifest) {
        self.directory = directory
        isSingle = manifest.handler.contract.isPerCall || manifest.workers.instance == .fresh
    }

    /// Whether its processes need not say which invocation they mean.
    package var knowsInvocation: Bool { isSingle }

    /// A token for one process, which the caller revokes at its end; `nil` while no API listens.
    func grant() -> AccessGrant? { directory.grant(self) }

    /// The running call of the invocation; without an id, the one that the process runs, where it runs only one.
    package func call(_ id: InvocationID?) -> JoinedCall? {
        calls.withLock { calls in
            guard let id else { return isSingle ? calls.last : nil }
            return calls.last { $0.invocation == id }
        }
    }

    /// Lets the worker's processes join `call`, until `leave`.
    func join(_ call: Call) -> JoinedCall {
        let joined = JoinedCall(call)
        calls.withLock { $0.append(joined) }
        return joined
    }

    func leave(_ joined: JoinedCall) { calls.withLock { $0.removeAll { $0 === joined } } }
}

/// A worker whose processes may use the worker API on behalf of the calls that it runs.
final class JoinedWorker: Worker {
    private let worker: any Worker
    private let access: WorkerAccess

    init(_ worker: any Worker, _ access: WorkerAccess) {
        self.worker = worker
        self.access = access
    }

    var pid: Int32 { worker.pid }

    func start(calmly: Bool) { worker.start(calmly: calmly) }

    func hurry() { worker.hurry() }

    func run(_ call: Call) -> any CallRun { JoinedRun(worker.run(call), call, access) }

    func stop(because reason: String) { worker.stop(because: reason) }

    func kill(because reason: String) { worker.kill(because: reason) }
}

/// A call that its worker's processes may join while it runs. What they have asked for until it has an answer is done
/// before the answer is given, and nothing comes after it.
private final class JoinedRun: CallRun {
    private let run: any CallRun
    private let joined: JoinedCall
    private let access: WorkerAccess

    init(_ run: any CallRun, _ call: Call, _ access: WorkerAccess) {
        self.run = run
        self.access = access
        joined = access.join(call)
    }

    func begin(_ end: @escaping CallEnd) {
        run.begin { [self] answer in
            guard case .success = answer else {
                joined.abort()
                access.leave(joined)
                return end(answer)
            }
            joined.finish { [self] in
                access.leave(joined)
                end(answer)
            }
        }
    }

    func cancel() { run.cancel() }
}
