import Events

/// The calls that wait for a worker of a pool, each with those of its lane. Pure.
struct WaitingLine: Sendable {
    typealias Instant = PoolState.Instant
    typealias WaiterID = PoolState.WaiterID

    struct Waiter: Sendable {
        let lane: Int
        let since: Instant
        let deadline: Instant
        /// A worker may be given it ahead of its turn.
        let mayGoAhead: Bool
        /// It has its place again, so that its deadline may come after those of others behind it.
        fileprivate(set) var isBack = false
    }

    private struct Place: Sendable {
        let id: WaiterID
        let since: Instant
    }

    /// A worker takes a call of its own lane, which hops no thread, before one of another lane that has come earlier, but has
    /// not waited for so long.
    private static let patience = Duration.milliseconds(10)
    /// Places of those who have left, about, before they are taken out.
    private static let mostLeft = 64

    private var waiters: [WaiterID: Waiter] = [:]
    /// By lane, in the order of their coming. Behind the first, which waits, are also some that have left.
    private var places: [ArraySlice<Place>]

    init(laneCount: Int) { places = Array(repeating: [], count: laneCount) }

    var count: Int { waiters.count }
    var isEmpty: Bool { waiters.isEmpty }

    subscript(id: WaiterID) -> Waiter? { waiters[id] }

    /// - Parameter id: grows with each that comes.
    mutating func append(_ id: WaiterID, _ waiter: Waiter) {
        waiters[id] = waiter
        places[waiter.lane].append(Place(id: id, since: waiter.since))
    }

    /// Gives one that has left the line the place that it had.
    mutating func putBack(_ id: WaiterID, _ waiter: Waiter) {
        var waiter = waiter
        waiter.isBack = true
        waiters[id] = waiter
        let lane = waiter.lane
        let index = places[lane].firstIndex { $0.id > id } ?? places[lane].endIndex
        places[lane].insert(Place(id: id, since: waiter.since), at: index)
    }

    /// `false` when it does not wait, or no more.
    @discardableResult
    mutating func remove(_ id: WaiterID) -> Bool {
        guard let lane = waiters.removeValue(forKey: id)?.lane else { return false }
        while let first = places[lane].first, waiters[first.id] == nil { places[lane].removeFirst() }
        if places[lane].count > 2 * waiters.count + Self.mostLeft { places[lane].removeAll { waiters[$0.id] == nil } }
        return true
    }

    /// Who has come first.
    var first: WaiterID? { oldest?.id }

    /// Whose deadline comes first.
    var firstToExpire: (id: WaiterID, deadline: Instant)? {
        var found: (id: WaiterID, deadline: Instant)?
        for lane in places {
            for place in lane {
                guard let waiter = waiters[place.id] else { continue }
                if found.map({ waiter.deadline < $0.deadline }) ?? true { found = (place.id, waiter.deadline) }
                if !waiter.isBack { break }
            }
        }
        return found
    }

    /// Whom a worker on `lane` takes next.
    func first(near lane: Int, now: Instant) -> WaiterID? {
        guard let oldest else { return nil }
        guard let near = places[lane].first, now - oldest.since < Self.patience else { return oldest.id }
        return near.id
    }

    /// All, in the order of their coming.
    var inOrder: [WaiterID] {
        places.joined().filter { waiters[$0.id] != nil }.map(\.id).sorted()
    }

    /// Who has so many before it. Looks at no more than these, and at those of them who have left.
    func waiter(behind count: Int) -> Waiter? {
        var (rests, before) = (places, 0)
        while let lane = Self.oldestLane(of: rests), let next = rests[lane].popFirst() {
            guard let waiter = waiters[next.id] else { continue }
            if before == count { return waiter }
            before += 1
        }
        return nil
    }

    private var oldest: Place? { Self.oldestLane(of: places).flatMap { places[$0].first } }

    /// The lane whose first has come before those of the others.
    private static func oldestLane(of places: [ArraySlice<Place>]) -> Int? {
        var found: (lane: Int, id: WaiterID)?
        for lane in places.indices {
            guard let id = places[lane].first?.id else { continue }
            if found.map({ id < $0.id }) ?? true { found = (lane, id) }
        }
        return found?.lane
    }
}
