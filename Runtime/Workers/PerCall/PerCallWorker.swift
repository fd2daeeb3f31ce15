import Events
import Manifests
import NIOCore
import Synchronization

/// A place in which one process at a time runs an invocation, as its contract says. Between invocations it has none.
final class PerCallWorker: Worker {
    private struct Contents {
        var current: PerCallRun?
        var hasEnded = false
    }

    private let contract: any PerCallContract
    private let manifest: Manifest
    private let number: Int
    private let lane: Lane
    private let access: WorkerAccess?
    private let reports: WorkerReports
    private let output: WorkerOutput
    private let contents = Mutex(Contents())
    private let shelf = FolderShelf()

    init(
        _ contract: any PerCallContract, _ manifest: Manifest, number: Int, lane: Lane, access: WorkerAccess?,
        reports: WorkerReports, output: @escaping WorkerOutput
    ) {
        self.contract = contract
        self.manifest = manifest
        self.number = number
        self.lane = lane
        self.access = access
        self.reports = reports
        self.output = output
    }

    var pid: Int32 { contents.withLock { $0.current }?.process.pid ?? 0 }

    // It has no process to be started before a call.
    func start(calmly: Bool) { reports.ready(0) }

    func hurry() {}

    func run(_ call: Call) -> any CallRun {
        let process = HandlerProcess(
            manifest, number: number, lane: lane, access: access, shelf: shelf, output: output)
        let run = PerCallRun(call, contract, process) { [self] startFailure in
            contents.withLock { contents in
                contents.current = nil
                if startFailure != nil { contents.hasEnded = true }
            }
            if startFailure != nil { shelf.close() }
            if let startFailure { reports.couldNotStart(startFailure.message) } else { reports.released() }
        }
        let mayRun = contents.withLock { contents in
            if !contents.hasEnded { contents.current = run }
            return !contents.hasEnded
        }
        return mayRun ? run : RefusedRun(reports)
    }

    func stop(because reason: String) { end { $0.terminate(because: reason) } }

    func kill(because reason: String) { end { $0.kill(because: reason) } }

    private func end(_ current: @escaping @Sendable (PerCallRun) -> Void) {
        let (isFirst, running) = contents.withLock { contents in
            defer { contents.hasEnded = true }
            return (!contents.hasEnded, contents.current)
        }
        if let running { lane.run { current(running) } }
        guard isFirst else { return }
        shelf.close()
        // Told from the lane, so that the call that runs is over first.
        guard let running else { return reports.exited("") }
        lane.run { [reports] in running.whenFinished { reports.exited("") } }
    }
}

/// A call that came when its worker had ended.
private final class RefusedRun: CallRun {
    private let reports: WorkerReports

    init(_ reports: WorkerReports) { self.reports = reports }

    func begin(_ end: @escaping CallEnd) {
        reports.released()
        end(nil)
    }

    func cancel() {}
}
