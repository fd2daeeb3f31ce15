package import Wire

/// What a handler knows of its call, and what it may do through the host.
///
/// When the call is cancelled (the client went away, or the host stops it), its task is cancelled: look at
/// `Task.isCancelled` in long loops; everything that waits for the host throws `CancellationError`.
public struct Context: Sendable {
    /// The function's name, as its manifest says.
    public let function: String
    /// 1 for the first try of an event. A run after a conflict does not count.
    public let attempt: Int
    /// When the host ends the call.
    public let deadline: ContinuousClock.Instant
    /// The state of the function, as this call sees it.
    public var state: State { State(link: link, scope: 0) }
    /// Log lines that belong to this call.
    public var log: Log { Log(link: link) }

    private let id: WireID
    private let link: any CallLink

    package init(function: String, call: ReceivedCall, arrival: ContinuousClock.Instant, link: any CallLink) {
        self.function = function
        attempt = Int(call.attempt)
        deadline = arrival + .microseconds(Int64(clamping: call.time))
        id = call.invocation
        self.link = link
    }

    /// The invocation's id, a UUID version 7 in its 36-character form: the same in each of its attempts.
    public var invocation: String { id.description }

    /// How long the call may still run; never below zero.
    public var timeLeft: Duration { max(.zero, deadline - .now) }
}
