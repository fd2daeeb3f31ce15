import Glibc
import Logging
import Synchronization

/// Whoever has started the host and wants to know how it is: systemd, or another that speaks sd_notify(3). Where there is
/// none, nothing is said.
final class Supervisor: Sendable {
    private let socket: NotifySocket?
    private let logger: Logger
    private let state = Mutex(SupervisorState())

    init(_ socket: NotifySocket?, logger: Logger) {
        self.socket = socket
        self.logger = logger
    }

    /// The host serves.
    func ready(_ status: String) { say { $0.ready(status) } }

    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
        say { $0.reloading(at: microseconds) }
    }

    /// - Parameter problem: why nothing has changed; `nil` when all went well.
    func reloaded(_ problem: String?) { say { $0.reloaded(problem) } }

    /// - Parameter time: at most so much until the end.
    func stopping(within time: Duration) { say { $0.stopping(within: time) } }

    /// A sign of life for the watchdog.
    func alive() { say { $0.alive() } }

    /// What does not answer any more, and keeps `alive` from being said.
    func stuck(_ parts: [String]) { say { $0.stuck(parts) } }

    private func say(_ change: (inout SupervisorState) -> String?) {
        guard let socket else { return }
        // In the lock, so that what was decided first is said first.
        let error = state.withLock { state in change(&state).flatMap { socket.send($0) } }
        if let error { logger.warning("the service manager cannot be told: \(error) (NOTIFY_SOCKET)") }
    }
}

/// What a supervisor has been told, and what it is to be told next: assignments of sd_notify(3), one a line.
struct SupervisorState: Sendable, Equatable {
    private enum Phase: Sendable, Equatable {
        case starting, serving, stopping
    }

    private var phase = Phase.starting
    private var status = ""
    private var isStuck = false

    mutating func ready(_ status: String) -> String? {
        guard phase == .starting else { return nil }
        phase = .serving
        self.status = status
        return "READY=1\nSTATUS=\(Self.line(status))"
    }

    /// - Parameter microseconds: of CLOCK_MONOTONIC, by which systemd tells this reload's READY from an earlier one's.
    mutating func reloading(at microseconds: Int64) -> String? {
        phase == .serving ? "RELOADING=1\nMONOTONIC_USEC=\(microseconds)\nSTATUS=reloading" : nil
    }

    mutating func reloaded(_ problem: String?) -> String? {
        // READY would take STOPPING back.
        guard phase == .serving else { return nil }
        return "READY=1\nSTATUS=\(Self.line(problem ?? status))"
    }

    mutating func stopping(within time: Duration) -> String? {
        guard phase != .stopping else { return nil }
        phase = .stopping
        let microseconds = max(0, time.components.seconds) * 1_000_000
        return "STOPPING=1\nSTATUS=finishing what runs\nEXTEND_TIMEOUT_USEC=\(microseconds)"
    }

    mutating func alive() -> String? {
        guard isStuck else { return "WATCHDOG=1" }
        isStuck = false
        return phase == .serving ? "WATCHDOG=1\nSTATUS=\(Self.line(status))" : "WATCHDOG=1"
    }

    mutating func stuck(_ parts: [String]) -> String? {
        isStuck = true
        return phase == .serving ? "STATUS=\(Self.line("no answer from " + parts.joined(separator: ", ")))" : nil
    }

    /// A line break would begin another assignment.
    private static func line(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }
}
