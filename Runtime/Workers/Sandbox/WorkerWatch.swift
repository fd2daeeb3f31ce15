import CProcess
import Events
import NIOCore
import NIOPosix
import Synchronization

/// Watches how many processes and threads workers have, and what those keep in memory together. Limits of the kernel hold
/// for each process, or for all of a user, unless there are control groups.
///
/// Asking before each new process, through the filter, would be exact, but a shell without SA_RESTART then fails to fork
/// whenever a child of it ends meanwhile.
final class WorkerWatch: Sendable {
    static let shared = WorkerWatch()

    /// What one worker may have; `nil` for no bound.
    struct Bound: Sendable {
        var processes: Int?
        var memory: Int64?
    }

    enum Excess: Sendable {
        case processes(Int)
        /// Bytes.
        case memory(Int64)
    }

    private struct Watched {
        var mark: WorkerMark
        var bound: Bound
        var onExcess: @Sendable (Excess) -> Void
    }

    private struct Contents {
        var watched: [Int32: Watched] = [:]
        var isScheduled = false
        var pace = WatchPace()
    }

    private let contents = Mutex(Contents())
    private let thread = NIOThreadPool(numberOfThreads: 1)

    private init() {
        thread.start()
        // A worker that has started a thousand processes would leave it a thousandth of a processor.
        thread.submit { _ in apus_prefer_thread() }
    }

    /// Calls `onExcess` once, on the watching thread, when the processes with `mark` have more than they may. Where that is
    /// their number, they are ended afterwards.
    func add(
        _ pid: Int32, _ mark: WorkerMark, _ bound: Bound, onExcess: @escaping @Sendable (Excess) -> Void
    ) {
        let isFirst = contents.withLock { contents in
            contents.watched[pid] = Watched(mark: mark, bound: bound, onExcess: onExcess)
            defer { contents.isScheduled = true }
            return !contents.isScheduled
        }
        if isFirst { schedule() }
    }

    func remove(_ pid: Int32) { contents.withLock { _ = $0.watched.removeValue(forKey: pid) } }

    private func schedule() {
        let interval = TimeAmount.nanoseconds(WatchPace.interval.nanoseconds)
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: interval) { [self] in
            thread.submit { [self] _ in
                let isNeeded = contents.withLock { contents in
                    contents.isScheduled = !contents.watched.isEmpty
                    return contents.isScheduled
                }
                guard isNeeded else { return }
                look()
                schedule()
            }
        }
    }

    private func look() {
        let start = ContinuousClock.now
        let last = apus_last_process()
        guard contents.withLock({ $0.pace.isDue(start, lastProcess: last) }) else { return }
        let watched = contents.withLock { $0.watched }
        let families = Dictionary(grouping: Self.processes(), by: \.mark)
        var fullest = 0.0
        for (pid, worker) in watched {
            let excess = excess(of: families[worker.mark.value] ?? [], worker.bound, &fullest)
            guard let excess, contents.withLock({ $0.watched.removeValue(forKey: pid) }) != nil else { continue }
            worker.onExcess(excess)
            if case .processes = excess { worker.mark.killAll() }
        }
        contents.withLock { $0.pace.hasLooked(start, lastProcess: last, fullest: fullest, cost: .now - start) }
    }

    private func excess(of processes: [apus_process], _ bound: Bound, _ fullest: inout Double) -> Excess? {
        if let most = bound.processes {
            let tasks = processes.reduce(0) { $0 + Int($1.tasks) }
            fullest = max(fullest, Double(tasks) / Double(most))
            if tasks > most { return .processes(tasks) }
        }
        guard let most = bound.memory else { return nil }
        var size = processes.reduce(0) { $0 + Int64(clamping: $1.resident) }
        // What processes share has been counted more than once.
        if size > most { size = processes.reduce(0) { $0 + Self.proportional($1) } }
        fullest = max(fullest, Double(size) / Double(most))
        return size > most ? .memory(size) : nil
    }

    private static func processes() -> [apus_process] {
        var capacity = 1024
        while true {
            var count = 0
            let list = [apus_process](unsafeUninitializedCapacity: capacity) { buffer, initialized in
                count = apus_processes(buffer.baseAddress, capacity)
                initialized = min(count, capacity)
            }
            if count <= capacity { return list }
            capacity = count * 2
        }
    }

    private static func proportional(_ process: apus_process) -> Int64 {
        let size = apus_proportional_size(process.pid)
        return Int64(clamping: size > 0 ? min(size, process.resident) : process.resident)
    }
}
