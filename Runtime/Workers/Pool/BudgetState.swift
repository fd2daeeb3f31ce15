/// Who may have how many of the machine's workers. Knows no pools, only their names.
package struct BudgetState<PoolID: Hashable & Sendable>: Sendable {
    private struct Share: Sendable {
        var held = 0
        /// Slots asked for and not granted.
        var wanted = 0
        /// Order of asking; the earlier goes first among equals.
        var turn = 0
    }

    /// What the budget wants of a pool.
    package enum Pressure: Sendable {
        case none
        /// To stop a worker that is idle.
        case idle
        /// To stop one that becomes free even if the pool has calls for it.
        case surplus
    }

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
    package mutating func request(_ count: Int, for pool: PoolID) -> Int {
        let granted = min(count, max(0, limit - held))
        turns += 1
        shares[pool, default: Share()].held += granted
        shares[pool, default: Share()].wanted += count - granted
        shares[pool, default: Share()].turn = turns
        held += granted
        return granted
    }

    /// Takes questions back; those that were granted meanwhile come back through `release`.
    package mutating func withdraw(_ count: Int, for pool: PoolID) {
        guard let wanted = shares[pool]?.wanted else { return }
        shares[pool]?.wanted = max(0, wanted - count)
        forgetIfEmpty(pool)
    }

    /// `pool` gives a slot back. Returns who gets it.
    package mutating func release(from pool: PoolID) -> PoolID? {
        shares[pool]?.held -= 1
        held -= 1
        surrendering = max(0, surrendering - 1)
        forgetIfEmpty(pool)
        guard held < limit, let next = next else { return nil }
        shares[next]?.held += 1
        shares[next]?.wanted -= 1
        held += 1
        return next
    }

    /// An idle worker was asked to stop for others.
    package mutating func surrenders() { surrendering += 1 }

    /// What a pool whose worker has become free shall do with it.
    package func pressure(on pool: PoolID) -> Pressure {
        guard uncovered > 0 else { return .none }
        let mine = shares[pool]?.held ?? 0
        let neediest = shares.lazy.filter { $0.key != pool && $0.value.wanted > 0 }.map(\.value.held).min()
        guard let neediest else { return .none }
        // Two less, so that the two do not take turns in taking from each other.
        return mine >= neediest + 2 ? .surplus : .idle
    }

    /// The pool that waits and has the fewest.
    private var next: PoolID? {
        shares.lazy.filter { $0.value.wanted > 0 }
            .min { ($0.value.held, $0.value.turn) < ($1.value.held, $1.value.turn) }?.key
    }

    private mutating func forgetIfEmpty(_ pool: PoolID) {
        if let share = shares[pool], share.held <= 0, share.wanted == 0 { shares[pool] = nil }
    }
}
