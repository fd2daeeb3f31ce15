import Glibc
import Storage
import Synchronization

/// What the watching thread and the recording task hand to each other.
///
/// A trigger has one job at a time, so that what waits here is bounded by the number of triggers.
final class FileExchange: Sendable {
    enum Command: Sendable {
        /// The file triggers that there shall be.
        case watch([FileWatch])
        case loaded(Int, [FilePath: FileStamp]?)
        case recorded(Int)
    }

    enum Job: Sendable {
        case load(Int, FileWatch)
        case record(Int, FileWatch, index: [FilePath: FileStamp?], invocations: [NewInvocation])

        var watch: FileWatch {
            switch self {
            case .load(_, let watch), .record(_, let watch, _, _): watch
            }
        }
    }

    private struct State {
        var commands: [Command] = []
        var jobs: [Job] = []
        var states: [String: FileTriggerState] = [:]
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeup: (read: Int32, write: Int32)
    /// Says that there are jobs.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init() {
        var ends: [Int32] = [-1, -1]
        // A socket pair, since only it gets its flags in the same call, so that no worker inherits it. Without one (out
        // of descriptors) the thread is not woken at once: it looks once a second.
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        if socketpair(AF_UNIX, Int32(type), 0, &ends) != 0 { ends = [-1, -1] }
        wakeup = (ends[0], ends[1])
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    deinit {
        close(wakeup.read)
        close(wakeup.write)
    }

    // MARK: To the thread

    func send(_ command: Command) {
        state.withLock { $0.commands.append(command) }
        wake()
    }

    /// Ends both sides.
    func stop() {
        state.withLock { $0.isStopped = true }
        signal.finish()
        wake()
    }

    /// A full buffer wakes as well as one more byte in it.
    private func wake() { _ = write(wakeup.write, "!", 1) }

    var isStopped: Bool { state.withLock { $0.isStopped } }

    func takeCommands() -> [Command] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Waits for a command, for `descriptor` to become readable, or for `milliseconds` (-1: for ever).
    func wait(for descriptor: Int32, milliseconds: Int32) {
        let limit = wakeup.read < 0 && milliseconds < 0 ? 1000 : milliseconds
        // poll(2) ignores negative descriptors.
        var waiting = [
            pollfd(fd: wakeup.read, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        poll(&waiting, 2, limit)
        var drain: (UInt64, UInt64) = (0, 0)
        while waiting[0].revents != 0, read(wakeup.read, &drain, 16) > 0 {}
    }

    // MARK: From the thread

    func post(_ job: Job) {
        state.withLock { $0.jobs.append(job) }
        signal.yield()
    }

    func nextJob() -> Job? { state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() } }

    var states: [String: FileTriggerState] {
        get { state.withLock { $0.states } }
        set { state.withLock { $0.states = newValue } }
    }
}
