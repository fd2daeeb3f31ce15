import Events
import Synchronization

/// Bounds the workers of all pools together, fairly: a pool that waits gets its turn from pools that hold more.
///
/// It never calls a pool while it holds its lock, nor may a pool call it while holding its own.
package final class WorkerBudget: Sendable {
    package let limit: Int

    /// A pool, as the budget sees it.
    struct Member: Sendable {
        /// Gets one slot.
        let grant: @Sendable () -> Void
        /// Since when its oldest idle worker is idle, if it could give one up.
        let idleSince: @Sendable () -> SteadyTime?
        /// Stops its oldest idle worker, if it has one still.
        let surrender: @Sendable () -> Void
        /// Hears that it asked for more than there is.
        let scarce: @Sendable () -> Void
    }

    private struct Contents: Sendable {
        var state: BudgetState<ObjectIdentifier>
        var members: [ObjectIdentifier: Member] = [:]
    }

    private let contents: Mutex<Contents>
    /// Whether any pool waits: looked at after every call, so it costs no lock.
    private let isContended = Atomic(false)

    /// - Parameter limit: workers of all pools together, at least 1.
    package init(limit: Int) {
        self.limit = max(1, limit)
        contents = Mutex(Contents(state: BudgetState(limit: max(1, limit))))
    }

    func join(_ id: ObjectIdentifier, _ member: Member) { contents.withLock { $0.members[id] = member } }

    func leave(_ id: ObjectIdentifier) { contents.withLock { $0.members[id] = nil } }

    /// Asks for slots; each comes as one `grant`, now or later.
    func request(_ count: Int, for id: ObjectIdentifier) {
        let now = SteadyTime.now
        let (granted, member) = change { ($0.state.request(count, for: id, now: now), $0.members[id]) }
        for _ in 0..<granted { member?.grant() }
        guard granted < count else { return }
        member?.scarce()
        makeRoom(besides: id)
    }

    /// Slots that nobody has.
    var available: Int { contents.withLock { $0.state.available } }

    func withdraw(_ count: Int, for id: ObjectIdentifier) { change { $0.state.withdraw(count, for: id) } }

    /// - Parameter wasSurrendered: `noteSurrender` said so of this slot, or is about to, on another thread.
    func release(from id: ObjectIdentifier, wasSurrendered: Bool) {
        let now = SteadyTime.now
        let next = change { contents in
            contents.state.release(from: id, wasSurrendered: wasSurrendered, now: now)
                .map { ($0, contents.members[$0]) }
        }
        guard let (nextID, member) = next else { return }
        // A pool that is gone has no use for it.
        if let member { member.grant() } else { release(from: nextID, wasSurrendered: false) }
    }

    func pressure(on id: ObjectIdentifier) -> BudgetPressure {
        guard isContended.load(ordering: .relaxed) else { return .none }
        return contents.withLock { $0.state.pressure(on: id, now: .now) }
    }

    /// A pool is about to stop a worker for others.
    func noteSurrender(of id: ObjectIdentifier) { change { $0.state.surrenders(id) } }

    /// It was about to, and does not. Others may have become idle meanwhile that were not asked.
    func noteKept(by id: ObjectIdentifier) {
        change { $0.state.keeps(id) }
        makeRoom()
    }

    /// Lets the pools with the longest idle workers give some up.
    private func makeRoom(besides id: ObjectIdentifier? = nil) {
        while true {
            let (uncovered, others) = contents.withLock { contents in
                (contents.state.uncovered, contents.members.filter { $0.key != id })
            }
            guard uncovered > 0 else { return }
            let idle = others.values.compactMap { member in member.idleSince().map { (member, $0) } }
            guard let oldest = idle.min(by: { $0.1 < $1.1 }) else { return }
            // When it has been used in between, the next round sees so.
            oldest.0.surrender()
        }
    }

    @discardableResult
    private func change<Result: Sendable>(_ body: (inout Contents) -> Result) -> Result {
        contents.withLock { contents in
            defer { isContended.store(contents.state.wanted > 0, ordering: .relaxed) }
            return body(&contents)
        }
    }
}
