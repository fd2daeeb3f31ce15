package import Events

/// An asynchronous event on its way into the queue.
package struct NewInvocation: Sendable, Hashable {
    package var id: InvocationID
    package var function: String
    package var kind: TriggerKind
    /// Which trigger of the function, such as `digest/timer/0`.
    package var trigger: String
    package var event: Event
    /// Not before this.
    package var due: WallTime
    /// Whether invocations of the same trigger run one after the other.
    package var exclusive: Bool

    package init(
        id: InvocationID = InvocationID(), function: String, kind: TriggerKind, trigger: String, event: Event,
        due: WallTime, exclusive: Bool = false
    ) {
        self.id = id
        self.function = function
        self.kind = kind
        self.trigger = trigger
        self.event = event
        self.due = due
        self.exclusive = exclusive
    }
}

package struct LeasedInvocation: Sendable {
    package var lease: Lease
    package var invocation: NewInvocation
    /// 1 for the first.
    package var attempt: Int
    package var enqueued: WallTime

    package init(lease: Lease, invocation: NewInvocation, attempt: Int, enqueued: WallTime) {
        self.lease = lease
        self.invocation = invocation
        self.attempt = attempt
        self.enqueued = enqueued
    }
}
