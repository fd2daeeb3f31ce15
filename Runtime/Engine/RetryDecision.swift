package import Events
package import Manifests
package import Storage

/// What becomes of an asynchronous invocation whose attempt failed.
package struct RetryDecision: Sendable {
    package var policy: RetryPolicy

    /// Attempts beyond its own that one has which is cut short.
    private static let mostCutShort = 3

    package init(policy: RetryPolicy) { self.policy = policy }

    /// - Parameters:
    ///   - attempt: the one that failed; 1 for the first.
    ///   - fraction: random, in 0..<1: full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
    ///     so that what failed together does not come back together.
    ///   - wanted: what the handler has asked for at least.
    package func settlement(
        after outcome: Outcome, reason: String, permanent: Bool, attempt: Int, enqueued: WallTime, now: WallTime,
        fraction: Double, wanted: Duration = .zero
    ) -> Settlement {
        if permanent { return .dead(outcome: outcome, reason: reason) }
        guard attempt < policy.attempts else {
            return .dead(outcome: .exhausted, reason: "attempt \(attempt) of \(policy.attempts): \(reason)")
        }
        let due = now.advanced(by: max(wanted, delay(after: attempt) * fraction))
        guard due.since(enqueued) <= policy.within else { return tooOld(reason) }
        return .retry(at: due, outcome: outcome, reason: reason)
    }

    /// What becomes of one that never reached its handler. That is no attempt, but it does not make it younger.
    package func settlement(
        unstarted outcome: Outcome, reason: String, after delay: Duration, enqueued: WallTime, now: WallTime
    ) -> Settlement {
        let due = now.advanced(by: delay)
        guard due.since(enqueued) <= policy.within else { return tooOld(reason) }
        return .postponed(until: due, outcome: outcome, reason: reason)
    }

    /// What becomes of one that is about to be attempted again because its host has ended during the attempt before: it
    /// may be what ends hosts. `nil`: it runs.
    ///
    /// - Parameter attempt: the one that would begin.
    package func settlement(before attempt: Int) -> Settlement? {
        // What ran when the host ended runs again, also after its last attempt: hosts end for many reasons.
        guard attempt > policy.attempts + Self.mostCutShort else { return nil }
        return .dead(
            outcome: .exhausted,
            reason: "begun \(attempt - 1) times, of \(policy.attempts): it is cut short each time, as by the host's end"
        )
    }

    private func tooOld(_ reason: String) -> Settlement {
        .dead(outcome: .exhausted, reason: "older than retry.within: \(reason)")
    }

    /// The longest delay after the attempt: `first` doubled with each one, at most `longest`.
    package func delay(after attempt: Int) -> Duration {
        // 2^40 times a millisecond is 34 years: past every `longest`, and far from an overflow.
        let doubled = policy.first * (1 << min(attempt - 1, 40))
        return min(doubled, policy.longest)
    }
}
