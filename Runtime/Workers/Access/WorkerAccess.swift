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
        isSingle = [.stdio, .cgi].contains(manifest.handler.contract) || manifest.workers.instance == .fresh
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

    /// Lets the worker's processes join `call` while `body` runs it. What they have asked for until then is done when
    /// this returns, and nothing comes after it.
    func during(
        _ call: Call, _ body: (Call) async throws(CallFailure) -> Answer?
    ) async throws(CallFailure) -> Answer? {
        let joined = JoinedCall(call)
        calls.withLock { $0.append(joined) }
        defer { calls.withLock { $0.removeAll { $0 === joined } } }
        do throws(CallFailure) {
            let answer = try await body(call)
            await joined.finish()
            return answer
        } catch {
            joined.abort()
            throw error
        }
    }
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

    func perform(_ call: Call) async throws(CallFailure) -> Answer? {
        try await access.during(call) { call async throws(CallFailure) in try await worker.perform(call) }
    }

    func stop(because reason: String) { worker.stop(because: reason) }

    func kill(because reason: String) { worker.kill(because: reason) }
}
