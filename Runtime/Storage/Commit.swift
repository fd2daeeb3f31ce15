package import Events

/// What one invocation commits.
package struct Commit: Sendable {
    package var effects: Effects?
    package var settle: (lease: Lease, settlement: Settlement)?
    /// What answers repeats of the request from now on.
    package var response: IdempotentResponse?

    package init(
        effects: Effects?, settle: (lease: Lease, settlement: Settlement)? = nil, response: IdempotentResponse? = nil
    ) {
        self.effects = effects
        self.settle = settle
        self.response = response
    }
}

package enum CommitResult: Sendable, Hashable {
    case committed
    /// Something that was read has changed; nothing was applied.
    case conflicted
    /// Another has the invocation now; nothing was applied.
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
    case done
    case retry(at: WallTime, outcome: Outcome, reason: String)
    /// The attempt never reached its handler: it is made again, under the same number.
    case postponed(until: WallTime, outcome: Outcome, reason: String)
    case dead(outcome: Outcome, reason: String)
}
