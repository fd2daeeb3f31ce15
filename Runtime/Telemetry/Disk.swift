import Synchronization

/// The files of the log and those who follow it; written to by one thread.
final class Disk: Sendable {
    private struct State: ~Copyable {
        var files: LogFiles
        var followers: [Int: Follower] = [:]
        var nextFollower = 0
        var dropped = 0
        /// Dropped since a line could last be written.
        var unsaid = 0
    }

    private let state: Mutex<State>

    init(_ files: consuming LogFiles) { state = Mutex(State(files: files)) }

    var dropped: Int { state.withLock { $0.dropped } }

    func openAll() -> [Int32] { state.withLock { $0.files.openAll() } }

    /// Appends `lines` and tells the followers; says in the log what had to be dropped.
    func write(_ lines: [LogLine], dropped: Int) {
        state.withLock { state in
            state.dropped += dropped
            state.unsaid += dropped
            var lines = lines
            if state.unsaid > 0 { lines.append(.dropped(state.unsaid)) }
            do {
                try state.files.append(lines.reduce(into: []) { $0 += Array($1.json.utf8) + [UInt8(ascii: "\n")] })
                state.unsaid = 0
            } catch {
                // There is no better place to say it than the line that follows once there is room again.
                let lost = state.unsaid > 0 ? lines.count - 1 : lines.count
                state.dropped += lost
                state.unsaid += lost
            }
            for id in Array(state.followers.keys) {
                for line in lines { state.followers[id]?.offer(line) }
                if state.followers[id]?.isGone == true { state.followers[id] = nil }
            }
        }
    }

    func add(_ follower: Follower) {
        let id = state.withLock { state in
            defer { state.nextFollower += 1 }
            state.followers[state.nextFollower] = follower
            return state.nextFollower
        }
        follower.continuation.onTermination = { [weak self] _ in self?.remove(id) }
    }

    private func remove(_ id: Int) { state.withLock { $0.followers[id] = nil } }
}

/// One who reads the log as it grows.
struct Follower {
    let filter: LogFilter
    let continuation: AsyncStream<LogEntry>.Continuation
    private var skipped = 0
    private(set) var isGone = false

    init(filter: LogFilter, continuation: AsyncStream<LogEntry>.Continuation) {
        self.filter = filter
        self.continuation = continuation
    }

    /// Gives the line to the reader, or counts it where the reader is too far behind.
    mutating func offer(_ line: LogLine) {
        guard filter.matches(line) else { return }
        if skipped > 0, case .enqueued = continuation.yield(.skipped(skipped)) { skipped = 0 }
        guard skipped == 0 else {
            skipped += 1
            return
        }
        switch continuation.yield(.line(line)) {
        case .enqueued: break
        case .dropped: skipped = 1
        case .terminated: isGone = true
        @unknown default: break
        }
    }
}
