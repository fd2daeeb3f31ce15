import Engine
import Events
import Manifests
import Storage
import Testing

@Suite("What becomes of a failed attempt")
struct RetryDecisionTests {
    private let start = WallTime(milliseconds: 1_800_000_000_000)

    private func decide(
        _ policy: RetryPolicy = RetryPolicy(), attempt: Int, permanent: Bool = false, age: Duration = .zero,
        fraction: Double = 0.5, wanted: Duration = .zero
    ) -> Settlement {
        RetryDecision(policy: policy).settlement(
            after: .failed, reason: "boom", permanent: permanent, attempt: attempt, enqueued: start,
            now: start.advanced(by: age), fraction: fraction, wanted: wanted)
    }

    @Test("the delay doubles with each attempt, up to the longest")
    func delays() {
        let decision = RetryDecision(policy: RetryPolicy())
        #expect((1...5).map { decision.delay(after: $0) } == [1, 2, 4, 8, 16].map { .seconds($0) })
        #expect(decision.delay(after: 1_000_000) == .seconds(300))
    }

    @Test("the next try comes at a random part of the delay")
    func jitter() {
        #expect(decide(attempt: 1, fraction: 0) == .retry(at: start, outcome: .failed, reason: "boom"))
        let half = start.advanced(by: .milliseconds(500))
        #expect(decide(attempt: 1, fraction: 0.5) == .retry(at: half, outcome: .failed, reason: "boom"))
    }

    @Test("the next try does not come before the handler wants it")
    func wanted() {
        let later = start.advanced(by: .seconds(7))
        #expect(decide(attempt: 1, wanted: .seconds(7)) == .retry(at: later, outcome: .failed, reason: "boom"))
        let half = start.advanced(by: .milliseconds(500))
        #expect(decide(attempt: 1, wanted: .milliseconds(1)) == .retry(at: half, outcome: .failed, reason: "boom"))
    }

    @Test("the last attempt exhausts it")
    func exhausted() {
        #expect(decide(attempt: 5) == .dead(outcome: .exhausted, reason: "attempt 5 of 5: boom"))
    }

    @Test("one that is cut short has three attempts beyond its own")
    func cutShort() {
        func settlement(_ attempts: Int, before attempt: Int) -> Settlement? {
            var policy = RetryPolicy()
            policy.attempts = attempts
            return RetryDecision(policy: policy).settlement(before: attempt)
        }
        #expect(settlement(5, before: 8) == nil)
        let reason = "begun 8 times, of 5: it is cut short each time, as by the host's end"
        #expect(settlement(5, before: 9) == .dead(outcome: .exhausted, reason: reason))
        #expect(settlement(1, before: 4) == nil)
        #expect(settlement(1, before: 5) != nil)
    }

    @Test("a try that would come too late is not made")
    func tooOld() {
        #expect(
            decide(attempt: 1, age: .seconds(21_600))
                == .dead(outcome: .exhausted, reason: "older than retry.within: boom"))
    }

    @Test("what never reached its handler comes back without a count, while it is young enough")
    func unstarted() {
        func settlement(age: Duration) -> Settlement {
            RetryDecision(policy: RetryPolicy()).settlement(
                unstarted: .rejected, reason: "full", after: .seconds(5), enqueued: start, now: start.advanced(by: age))
        }
        let due = start.advanced(by: .seconds(5))
        #expect(settlement(age: .zero) == .postponed(until: due, outcome: .rejected, reason: "full"))
        #expect(
            settlement(age: .seconds(21_600)) == .dead(outcome: .exhausted, reason: "older than retry.within: full"))
    }

    @Test("a permanent failure is not tried again")
    func permanent() {
        #expect(decide(attempt: 1, permanent: true) == .dead(outcome: .failed, reason: "boom"))
    }
}
