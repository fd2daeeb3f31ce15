package import Events
package import Manifests
import NIOCore

/// Turns the calls of a function away at once while nearly all of them fail, instead of burning time on each.
///
/// Pure: a value that is told what happens, when, and says what follows. It is closed at first. When the share of
/// failures among the latest calls is too large it opens; after a rest it lets one call try. A try that succeeds closes
/// it, one that fails opens it again, for twice as long.
package struct CircuitBreaker: Sendable {
    package typealias Instant = SteadyTime

    package enum State: Sendable, Equatable {
        case closed
        case open(until: Instant)
        /// One call tries, or may.
        case halfOpen(isTrying: Bool)
    }

    /// Whether a call may run.
    package enum Pass: Sendable, Equatable {
        case free
        /// It decides what comes next.
        case trial
        case refused(for: Duration)
    }

    /// What a call says about the function.
    package enum Verdict: Sendable {
        case works
        case fails
        /// Nothing: it was turned away, given up by its caller, or failed through its own fault.
        case neither
    }

    package enum Change: Sendable, Equatable {
        case opened(failures: Int, of: Int, rest: Duration)
        case tries
        case closed
    }

    /// Calls that are remembered at most; the policy may ask for more.
    private static let remembered = 100
    /// Older ones say nothing about now.
    private static let memory = Duration.seconds(60)
    private static let longestRest = Duration.seconds(60)
    /// How soon a refused call may ask again while another tries.
    private static let whileTrying = Duration.seconds(1)

    private struct Entry: Sendable {
        let time: Instant
        let failed: Bool
    }

    private let policy: BreakerPolicy
    package private(set) var state = State.closed
    /// The oldest first.
    private var latest = CircularBuffer<Entry>()
    private var failures = 0
    private var rest: Duration

    package init(policy: BreakerPolicy) {
        self.policy = policy
        rest = policy.rest
    }

    /// Asks whether a call may run. Each that may must be `ended`.
    package mutating func admit(at now: Instant) -> (pass: Pass, change: Change?) {
        switch state {
        case .closed: return (.free, nil)
        case .open(let until) where now < until: return (.refused(for: until - now), nil)
        case .open, .halfOpen(isTrying: false):
            let isFirst = state != .halfOpen(isTrying: false)
            state = .halfOpen(isTrying: true)
            return (.trial, isFirst ? .tries : nil)
        case .halfOpen(isTrying: true): return (.refused(for: Self.whileTrying), nil)
        }
    }

    /// How many calls `admit` would let run, `nil` for as many as come; and how long until there may be more.
    package func quota(at now: Instant) -> (calls: Int?, wait: Duration) {
        switch state {
        case .closed: (nil, .zero)
        case .open(let until) where now < until: (0, until - now)
        case .open, .halfOpen(isTrying: false): (1, Self.whileTrying)
        case .halfOpen(isTrying: true): (0, Self.whileTrying)
        }
    }

    /// Takes note of a call that `admit` let run.
    package mutating func ended(_ pass: Pass, _ verdict: Verdict, at now: Instant) -> Change? {
        switch (pass, verdict) {
        case (.refused, _), (.free, .neither): return nil
        case (.trial, .neither):
            state = .halfOpen(isTrying: false)
            return nil
        case (.trial, .works):
            state = .closed
            rest = policy.rest
            return .closed
        case (.trial, .fails):
            rest = min(rest * 2, max(Self.longestRest, policy.rest))
            return open(1, of: 1, at: now)
        // It began before the breaker opened, and says what is known already.
        case (.free, _) where state != .closed: return nil
        case (.free, .works), (.free, .fails):
            note(Entry(time: now, failed: verdict == .fails))
            guard latest.count >= policy.calls, failures * 100 >= policy.failures * latest.count else { return nil }
            return open(failures, of: latest.count, at: now)
        }
    }

    private mutating func open(_ failures: Int, of calls: Int, at now: Instant) -> Change {
        state = .open(until: now + rest)
        latest.removeAll(keepingCapacity: true)
        self.failures = 0
        return .opened(failures: failures, of: calls, rest: rest)
    }

    private mutating func note(_ entry: Entry) {
        let most = max(Self.remembered, policy.calls)
        while let oldest = latest.first, latest.count >= most || entry.time - oldest.time > Self.memory {
            if oldest.failed { failures -= 1 }
            latest.removeFirst()
        }
        latest.append(entry)
        if entry.failed { failures += 1 }
    }
}

extension CircuitBreaker.Pass {
    package var isRefused: Bool { if case .refused = self { true } else { false } }
}
