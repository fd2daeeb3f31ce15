import NIOCore

/// What a connection waits for, and until when; and how long its client has taken nothing of what it has to read.
struct ClientPatience: Sendable {
    enum Waiting: Sendable {
        /// For a request's first byte, for the rest of its head, for more of its body, for the function, for the
        /// client's side to close.
        case idle, head, body, function, linger
    }

    enum Expiry: Sendable {
        case none
        /// The client has taken nothing for too long.
        case stalled
        case over(Waiting)
    }

    private(set) var waiting = Waiting.idle
    private var deadline: NIODeadline
    private var stall: (unflushed: Int, since: NIODeadline)?

    init(until deadline: NIODeadline) { self.deadline = deadline }

    mutating func wait(_ what: Waiting, until time: NIODeadline) {
        waiting = what
        deadline = time
    }

    /// More time for what it waits for.
    mutating func extend(to time: NIODeadline) { deadline = time }

    /// Its own time limit ends that.
    mutating func waitForFunction() { waiting = .function }

    /// - Parameter unflushed: bytes that the client has not taken yet.
    mutating func tick(now: NIODeadline, unflushed: Int, writeTime: TimeAmount) -> Expiry {
        if unflushed == 0 {
            stall = nil
        } else if let stall, stall.unflushed == unflushed {
            if now - stall.since >= writeTime { return .stalled }
        } else {
            stall = (unflushed, now)
        }
        return now >= deadline ? .over(waiting) : .none
    }
}
