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

    /// Not only an idle one.
    var isUrgent: Bool { self == .turn || self == .surplus }
}

/// Who may have how many of the machine's workers. Knows no pools, only their names.
package struct BudgetState<PoolID: Hashable & Sendable>: Sendable {
    private struct Share: Sendable {
        var held = 0
        /// Slots asked for and not granted.
        var wanted = 0
        /// Held by workers that stop for others and have not ended; less than none where it is heard first that they have.
        var surrendering = 0
        /// In the order of asking, or of giving back; the first goes first among equals.
        var place = 0
        /// Since then it waits for any slot.
        var since: SteadyTime?

        var kept: Int { held - surrendering }
    }

    /// How long a pool without a worker waits for those to become idle of which others have one each.
    private static var patience: Duration { .milliseconds(250) }

    package let limit: Int
    private var shares: [PoolID: Share] = [:]
    private var held = 0
    private var lastPlace = 0

    package init(limit: Int) { self.limit = limit }

    /// Slots that nobody has.
    package var available: Int { max(0, limit - held) }

    /// Slots that pools wait for.
    package var wanted: Int { shares.values.reduce(0) { $0 + $1.wanted } }

    private var surrendering: Int { shares.values.reduce(0) { $0 + $1.surrendering } }

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
        // Who waits already keeps its place.
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
    ///
    /// - Parameter wasSurrendered: `surrenders` counts it, or is about to.
    package mutating func release(from pool: PoolID, wasSurrendered: Bool = false, now: SteadyTime) -> PoolID? {
        if wasSurrendered { shares[pool]?.surrendering -= 1 }
        shares[pool]?.held -= 1
        held -= 1
        queue(pool, now)
        tidy(pool)
        guard held < limit, let next = next else { return nil }
        shares[next]?.held += 1
        shares[next]?.wanted -= 1
        held += 1
        tidy(next)
        return next
    }

    /// A worker of `pool` stops for others, or will soon.
    package mutating func surrenders(_ pool: PoolID) { changeSurrendering(of: pool, by: 1) }

    /// One that was to stop for others will not.
    package mutating func keeps(_ pool: PoolID) { changeSurrendering(of: pool, by: -1) }

    private mutating func changeSurrendering(of pool: PoolID, by count: Int) {
        shares[pool]?.surrendering += count
        tidy(pool)
    }

    /// What a pool whose worker has become free shall do with it.
    package func pressure(on pool: PoolID, now: SteadyTime) -> BudgetPressure {
        guard uncovered > 0 else { return .none }
        let others = shares.lazy.filter { $0.key != pool && $0.value.wanted > 0 }.map(\.value)
        guard !others.isEmpty else { return .none }
        // What is about to be free may all be for one of them. Two less, so that the two do not take turns in taking from
        // each other. And no more than those want.
        let kept = shares[pool]?.kept ?? 0
        let poorer = others.filter { kept >= $0.kept + surrendering + 2 }
        if poorer.reduce(0, { $0 + $1.wanted }) > surrendering { return .surplus }
        // They do where one has none.
        let starving = others.count { share in
            share.held == 0 && share.since.map { now - $0 >= Self.patience } ?? false
        }
        return starving > surrendering ? .turn : .idle
    }

    /// The pool that waits and has the fewest.
    private var next: PoolID? {
        shares.lazy.filter { $0.value.wanted > 0 }
            .min { ($0.value.held, $0.value.place) < ($1.value.held, $1.value.place) }?.key
    }

    /// Its place is behind all others that wait.
    private mutating func queue(_ pool: PoolID, _ now: SteadyTime) {
        lastPlace += 1
        shares[pool]?.place = lastPlace
        shares[pool]?.since = now
    }

    private mutating func tidy(_ pool: PoolID) {
        guard let share = shares[pool], share.wanted == 0 else { return }
        if share.held <= 0, share.surrendering == 0 { shares[pool] = nil } else { shares[pool]?.since = nil }
    }
}
