import CProcess
import Events
import NIOCore
import NIOPosix
import Synchronization

/// Watches what all the processes of a worker keep in memory together. Limits of the kernel hold for each process alone,
/// unless there are control groups.
///
/// One look for all workers: at the one process of a worker that has started no other, and else once through /proc.
final class MemoryWatch: Sendable {
    static let shared = MemoryWatch()

    private struct Watched {
        /// `nil` when only the process itself counts.
        var mark: WorkerMark?
        var limit: Int64
        var onExcess: @Sendable (_ bytes: Int64) -> Void
    }

    private struct Contents {
        var watched: [Int32: Watched] = [:]
        var isScheduled = false
    }

    private let contents = Mutex(Contents())
    private let thread = NIOThreadPool(numberOfThreads: 1)

    private init() { thread.start() }

    /// Calls `onExcess` once, on the watching thread, when process `pid`, and all others with `mark`, keep more than
    /// `limit` bytes.
    func add(
        _ pid: Int32, mark: WorkerMark?, limit: Int64, onExcess: @escaping @Sendable (_ bytes: Int64) -> Void
    ) {
        let isFirst = contents.withLock { contents in
            contents.watched[pid] = Watched(mark: mark, limit: limit, onExcess: onExcess)
            defer { contents.isScheduled = true }
            return !contents.isScheduled
        }
        if isFirst { schedule(in: MemoryPace.slowest) }
    }

    func remove(_ pid: Int32) { contents.withLock { _ = $0.watched.removeValue(forKey: pid) } }

    private func schedule(in time: Duration) {
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .nanoseconds(time.nanoseconds)) { [self] in
            thread.submit { [self] _ in
                let isNeeded = contents.withLock { contents in
                    contents.isScheduled = !contents.watched.isEmpty
                    return contents.isScheduled
                }
                if isNeeded { schedule(in: look()) }
            }
        }
    }

    /// Returns when to look again.
    private func look() -> Duration {
        let start = ContinuousClock.now
        let watched = contents.withLock { $0.watched }
        let families = watched.filter { $0.value.mark.map { SandboxGuard.shared.hasForked($0) != false } ?? false }
        let processes = families.isEmpty ? [] : Self.processes()
        var fullest = 0.0
        for (pid, worker) in watched {
            let own =
                families[pid] == nil
                ? [(pid, Int64(clamping: apus_resident_size(pid)))]
                : processes.filter { $0.mark == worker.mark?.value }.map { ($0.pid, Int64(clamping: $0.resident)) }
            var size = own.reduce(0) { $0 + $1.1 }
            // What processes share has been counted more than once.
            if size > worker.limit { size = own.reduce(0) { $0 + Self.proportional($1.0, resident: $1.1) } }
            fullest = max(fullest, Double(size) / Double(worker.limit))
            guard size > worker.limit else { continue }
            if contents.withLock({ $0.watched.removeValue(forKey: pid) }) != nil { worker.onExcess(size) }
        }
        return MemoryPace.next(fullest: fullest, cost: .now - start)
    }

    private static func processes() -> [apus_process] {
        var capacity = 1024
        while true {
            var count = 0
            let list = [apus_process](unsafeUninitializedCapacity: capacity) { buffer, initialized in
                count = apus_processes(0, buffer.baseAddress, capacity)
                initialized = min(count, capacity)
            }
            if count <= capacity { return list }
            capacity = count * 2
        }
    }

    private static func proportional(_ pid: Int32, resident: Int64) -> Int64 {
        let size = Int64(clamping: apus_proportional_size(pid))
        return size > 0 ? min(size, resident) : resident
    }
}

/// How often to look: the more memory is taken, the sooner; and at most a twentieth of one processor's time.
package enum MemoryPace {
    package static let slowest = Duration.milliseconds(500)

    /// - Parameters:
    ///   - fullest: how much of its limit the worker has taken that has taken most.
    ///   - cost: of the last look.
    package static func next(fullest: Double, cost: Duration) -> Duration {
        let wanted: Duration =
            switch fullest {
            case ..<0.5: slowest
            case ..<0.8: .milliseconds(100)
            default: .milliseconds(25)
            }
        return max(wanted, cost * 20)
    }
}
