import Dispatch
import Events
import Logging
import Synchronization

/// Takes lines from any thread without blocking, and hands them in batches to a writer on a thread of its own.
///
/// When the writer falls behind, lines are dropped and counted; the writer gets the count in place of the lines.
final class LineQueue: Sendable {
    /// What the writer gets: the lines in order, and how many were dropped after them.
    typealias Writer = @Sendable (_ lines: [LogLine], _ dropped: Int) -> Void

    private struct State {
        var lines: [LogLine] = []
        var cost = 0
        var dropped = 0
        var isScheduled = false
    }

    private let capacity: Int
    private let state = Mutex(State())
    private let queue: DispatchQueue
    private let writer: Writer

    /// - Parameter capacity: bytes that may wait.
    init(label: String, capacity: Int, writer: @escaping Writer) {
        self.capacity = capacity
        self.queue = DispatchQueue(label: label)
        self.writer = writer
    }

    func add(_ line: LogLine) {
        let schedule = state.withLock { state in
            if state.cost + line.cost > capacity {
                state.dropped += 1
            } else {
                state.cost += line.cost
                state.lines.append(line)
            }
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if schedule { queue.async { self.drain() } }
    }

    /// Runs `body` on the writer's thread, after everything that was added before has been written.
    func afterWriting<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            queue.async {
                self.drain()
                continuation.resume(returning: body())
            }
        }
    }

    /// Blocks until everything that was added before has been written.
    func flush() { queue.sync { drain() } }

    private func drain() {
        let (lines, dropped) = state.withLock { state in
            defer { state = State() }
            return (state.lines, state.dropped)
        }
        if !lines.isEmpty || dropped > 0 { writer(lines, dropped) }
    }
}

extension LogLine {
    /// What stands in the log in place of lines that are not there.
    static func dropped(_ count: Int) -> LogLine {
        LogLine(
            level: .warning,
            message: "\(count) log lines were dropped: they came too fast, or the disk took none",
            metadata: [HeaderField("dropped", String(count))])
    }
}
