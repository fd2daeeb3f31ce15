package import Events

/// What one invocation commits.
package struct Commit: Sendable {
    package var effects: Effects?
    package var settle: (lease: Lease, settlement: Settlement)?
    /// What answers repeats of the request from now on.
    package var response: IdempotentResponse?
    /// What tells others how the invocation ended. They go into the queue also where it is full: whoever leases sees to
    /// it that there is room.
    package var notices: [NewInvocation]

    package init(
        effects: Effects?, settle: (lease: Lease, settlement: Settlement)? = nil, response: IdempotentResponse? = nil,
        notices: [NewInvocation] = []
    ) {
        self.effects = effects
        self.settle = settle
        self.response = response
        self.notices = notices
    }
}

package enum CommitResult: Sendable, Hashable {
    case committed
    /// Something that was read has changed; nothing was applied.
    case conflicted
    /// Another has the invocation now, or it was cancelled; nothing was applied.
    case leaseLost
    /// Another response answers the idempotency key; nothing was applied.
    case repeated
}

/// The right to settle one running invocation; a later lease of the same invocation has a higher epoch.
package struct Lease: Sendable, Hashable {
    package var invocation: InvocationID
    package var epoch: Int64

    package init(invocation: InvocationID, epoch: Int64) {
        self.invocation = invocation
        self.epoch = epoch
    }
}

package enum Settlement: Sendable, Hashable {
    case done(result: InvocationResult?)
    case retry(at: WallTime, outcome: Outcome, reason: String)
    /// The attempt never reached its handler: it is made again, under the same number.
    case postponed(until: WallTime, outcome: Outcome, reason: String)
    case dead(outcome: Outcome, reason: String)

    /// Without a result that anybody could ask for.
    package static var done: Settlement { .done(result: nil) }
}

/// What an asynchronous invocation has answered, kept for whoever asks.
package struct InvocationResult: Sendable, Hashable {
    /// Of the response to an HTTP request; `nil` for what a handler returned for an event.
    package var status: Int?
    package var headers: [HeaderField]
    package var body: [UInt8]
    /// Whether the body was longer than what is kept.
    package var isCut: Bool

    package init(status: Int? = nil, headers: [HeaderField] = [], body: [UInt8], isCut: Bool = false) {
        self.status = status
        self.headers = headers
        self.body = body
        self.isCut = isCut
    }
}
