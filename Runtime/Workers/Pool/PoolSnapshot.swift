import Events
import Manifests

/// A pool at one moment, for people.
package struct PoolSnapshot: Sendable, Codable {
    package struct WorkerSnapshot: Sendable, Codable {
        package var pid: Int32
        /// `starting`, `idle`, `busy` or `stopping`.
        package var state: String
        package var running: Int
        package var invocations: Int
        package var ageSeconds: Double
    }

    /// In the order of their start.
    package var workers: [WorkerSnapshot]
    package var waiting: Int
    /// Calls that are being run.
    package var running: Int
    /// Starts since the host came up.
    package var started: Int
    /// Why the pool starts no worker now, while it backs off.
    package var backingOff: String?
}

extension PoolState {
    /// - Parameter pid: of a worker, 0 for one that has no process now and is left out.
    package func snapshot(_ now: Instant, pid: (WorkerID) -> Int32) -> PoolSnapshot {
        let all = workers.sorted { $0.key < $1.key }.compactMap { id, record -> PoolSnapshot.WorkerSnapshot? in
            let pid = pid(id)
            guard pid != 0 else { return nil }
            return PoolSnapshot.WorkerSnapshot(
                pid: pid, state: record.description, running: min(record.running, policy.concurrency),
                invocations: record.invocations, ageSeconds: Double((now - record.started).milliseconds) / 1000)
        }
        return PoolSnapshot(
            workers: all, waiting: unserved, running: running, started: started,
            backingOff: backoff.isActive(now) ? backoff.reason : nil)
    }
}

extension PoolState.Record {
    fileprivate var description: String {
        switch phase {
        case .starting: "starting"
        case .ready: running == 0 ? "idle" : "busy"
        case .yielding: "busy"
        case .closing, .stopping: "stopping"
        }
    }
}
