/// The calls that wait for a worker of a pool, each with those of its lane. Pure.
struct WaitingLine: Sendable {
    typealias Instant = PoolState.Instant
    typealias WaiterID = PoolState.WaiterID

    struct Waiter: Sendable {
        let lane: Int
        let deadline: Instant
    }

    private struct Place: Sendable {
        let id: WaiterID
        /// Grows with each that comes.
        let turn: Int
    }

    /// A worker takes a call of its own lane, which hops no thread, unless one of another lane has come so many calls before.
    private static let patience = 32

    private var waiters: [WaiterID: Waiter] = [:]
    /// By lane, in the order of their coming; hold also some that have left `waiters`.
    private var places: [ArraySlice<Place>]
    private var turns = 0

    init(laneCount: Int) { places = Array(repeating: [], count: laneCount) }

    var count: Int { waiters.count }
    var isEmpty: Bool { waiters.isEmpty }

    subscript(id: WaiterID) -> Waiter? { waiters[id] }

    mutating func append(_ id: WaiterID, _ waiter: Waiter) {
        turns += 1
        waiters[id] = waiter
        places[waiter.lane].append(Place(id: id, turn: turns))
    }

    /// `false` when it does not wait, or no more.
    @discardableResult
    mutating func remove(_ id: WaiterID) -> Bool {
        guard let waiter = waiters.removeValue(forKey: id) else { return false }
        if places[waiter.lane].first?.id == id { places[waiter.lane].removeFirst() }
        return true
    }

    /// Who has come first.
    mutating func first() -> WaiterID? { oldest()?.id }

    /// Whom a worker on `lane` takes next.
    mutating func first(near lane: Int) -> WaiterID? {
        guard let oldest = oldest() else { return nil }
        guard let near = firstPlace(lane), near.turn - oldest.turn < Self.patience else { return oldest.id }
        return near.id
    }

    /// All, in the order of their coming.
    var inOrder: [WaiterID] {
        places.joined().filter { waiters[$0.id] != nil }.sorted { $0.turn < $1.turn }.map(\.id)
    }

    /// Who has so many before it. Looks at no more than these.
    func waiter(behind count: Int) -> Waiter? {
        var (rests, before) = (places, 0)
        while true {
            let firsts = rests.indices.compactMap { lane in rests[lane].first.map { (lane: lane, place: $0) } }
            guard let next = firsts.min(by: { $0.place.turn < $1.place.turn }) else { return nil }
            rests[next.lane].removeFirst()
            guard let waiter = waiters[next.place.id] else { continue }
            if before == count { return waiter }
            before += 1
        }
    }

    private mutating func oldest() -> Place? {
        var oldest: Place?
        for lane in places.indices {
            if let first = firstPlace(lane), oldest.map({ first.turn < $0.turn }) ?? true { oldest = first }
        }
        return oldest
    }

    /// Skips those that have left.
    private mutating func firstPlace(_ lane: Int) -> Place? {
        while let first = places[lane].first {
            if waiters[first.id] != nil { return first }
            places[lane].removeFirst()
        }
        return nil
    }
}
