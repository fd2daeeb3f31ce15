package import Events

/// An asynchronous event, or HTTP request, on its way into the queue.
package struct NewInvocation: Sendable, Hashable {
    package var id: InvocationID
    package var function: String
    package var kind: TriggerKind
    /// Which trigger of the function, such as `digest/timer/0`.
    package var trigger: String
    package var event: Event
    /// Of an HTTP request: its head; the body is the event's data.
    package var request: RequestHead?
    /// Not before this.
    package var due: WallTime
    /// Those with the same line run one after the other, in the order in which they were enqueued.
    package var line: String?
    /// That of RFC 9218 §4.1, 0…7: among what is due, 0 runs first.
    package var urgency: Int
    /// Whether an event with the same source and id may be in the queue already, so that it must be looked for. Not so
    /// when the host has just made up the id.
    package var mayRepeat: Bool

    package static let urgencies = 0...7
    /// The default of RFC 9218 §4.1.
    package static let usualUrgency = 3

    package init(
        id: InvocationID = InvocationID(), function: String, kind: TriggerKind, trigger: String, event: Event,
        request: RequestHead? = nil, due: WallTime, line: String? = nil, urgency: Int = usualUrgency,
        mayRepeat: Bool = true
    ) {
        self.id = id
        self.function = function
        self.kind = kind
        self.trigger = trigger
        self.event = event
        self.request = request
        self.due = due
        self.line = line
        self.urgency = urgency
        self.mayRepeat = mayRepeat
    }
}

/// An invocation that runs now. A class, since it stands, mostly as none, in the frames of every call.
package final class LeasedInvocation: Sendable {
    package let lease: Lease
    package let invocation: NewInvocation
    /// 1 for the first.
    package let attempt: Int
    /// Where the time for its retries begins: when it was enqueued or due, or brought back from the dead letters.
    package let since: WallTime

    package init(lease: Lease, invocation: NewInvocation, attempt: Int, since: WallTime) {
        self.lease = lease
        self.invocation = invocation
        self.attempt = attempt
        self.since = since
    }
}
