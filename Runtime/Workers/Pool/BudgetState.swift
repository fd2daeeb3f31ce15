package import Events

/// What the budget wants of a pool.
package enum BudgetPressure: Sendable {
    case none
    /// To stop a worker that is idle.
    case idle
    /// To stop one that has had its turn, even if the pool has calls for it: another has none, and waits.
    case turn
    /// To stop one that becomes free even if the pool has calls for it: another has fewer.
    case surplus
}

/// Who may have how many of the machine's workers. Knows no pools, only their names.
package struct BudgetState<PoolID: Hashable & Sendable>: Sendable {
    private struct Share: Sendable {
        var held = 0
        /// Slots asked for and not granted.
        var wanted = 0
        /// Order of asking, or of giving back; the earlier goes first among equals.
        var turn = 0
        /// Since then it waits for any slot.
        var since: SteadyTime?
    }

    /// How long a pool without a worker waits for those to become idle of which others have one each.
    private static var patience: Duration { .milliseconds(250) }

    package let limit: Int
    private var shares: [PoolID: Share] = [:]
    private var held = 0
    private var turns = 0
    /// Workers that were asked to stop for others and have not ended.
    private var surrendering = 0

    package init(limit: Int) { self.limit = limit }

    /// Slots that nobody has.
    package var available: Int { max(0, limit - held) }

    /// Slots that pools wait for.
    package var wanted: Int { shares.values.reduce(0) { $0 + $1.wanted } }

    /// Slots that nobody makes free yet, for pools that wait.
    package var uncovered: Int { max(0, wanted - surrendering) }

    /// Asks for `count` slots. Returns how many are granted now; the others come through `release`.
    package mutating func request(_ count: Int, for pool: PoolID, now: SteadyTime) -> Int {
        let granted = min(count, max(0, limit - held))
        var share = shares[pool] ?? Share()
        share.held += granted
        share.wanted += count - granted
        shares[pool] = share
        held += granted
        // Who waits already keeps its turn.
        if share.wanted > 0, share.since == nil { queue(pool, now) }
        return granted
    }

    /// Takes questions back; those that were granted meanwhile come back through `release`.
    package mutating func withdraw(_ count: Int, for pool: PoolID) {
        guard let wanted = shares[pool]?.wanted else { return }
        shares[pool]?.wanted = max(0, wanted - count)
        tidy(pool)
    }

    /// `pool` gives a slot back. Returns who gets it.
    package mutating func release(from pool: PoolID, now: SteadyTime) -> PoolID? {
        shares[pool]?.held -= 1
        held -= 1
        keeps()
        queue(pool, now)
        tidy(pool)
        guard held < limit, let next = next else { return nil }
        shares[next]?.held += 1
        shares[next]?.wanted -= 1
        held += 1
        tidy(next)
        return next
    }

    /// A worker stops for others, or will soon.
    package mutating func surrenders() { surrendering += 1 }

    /// One that was to stop for others will not.
    package mutating func keeps() { surrendering = max(0, surrendering - 1) }

    /// What a pool whose worker has become free shall do with it.
    package func pressure(on pool: PoolID, now: SteadyTime) -> BudgetPressure {
        guard uncovered > 0 else { return .none }
        let others = shares.lazy.filter { $0.key != pool && $0.value.wanted > 0 }.map(\.value)
        guard let fewest = others.map(\.held).min() else { return .none }
        // Two less, so that the two do not take turns in taking from each other.
        if (shares[pool]?.held ?? 0) >= fewest + 2 { return .surplus }
        // They do where one has none.
        let waitsLong = others.contains { share in
            share.held == 0 && share.since.map { now - $0 >= Self.patience } ?? false
        }
        return waitsLong ? .turn : .idle
    }

    /// The pool that waits and has the fewest.
    private var next: PoolID? {
        shares.lazy.filter { $0.value.wanted > 0 }
            .min { ($0.value.held, $0.value.turn) < ($1.value.held, $1.value.turn) }?.key
    }

    /// Its turn comes after those of all others that wait.
    private mutating func queue(_ pool: PoolID, _ now: SteadyTime) {
        turns += 1
        shares[pool]?.turn = turns
        shares[pool]?.since = now
    }

    private mutating func tidy(_ pool: PoolID) {
        guard let share = shares[pool], share.wanted == 0 else { return }
        if share.held <= 0 { shares[pool] = nil } else { shares[pool]?.since = nil }
    }
}
