import Events
import Manifests

/// What can be read off a pool's state, and its small moves.
extension PoolState {
    /// Workers that run calls, or will.
    var live: Int { workers.values.count { $0.phase == .starting || $0.phase == .ready } }

    /// Nor will.
    var nobodyServes: Bool { workers.values.allSatisfy { $0.phase == .closing || $0.phase == .stopping } }

    /// Each call gets a worker that has run nothing.
    var isFresh: Bool { policy.instance == .fresh }

    /// It has all the workers that it may have: who comes and goes makes no difference to how many are missing.
    var isSaturated: Bool { workers.count >= mostAtWork && requested == 0 && !isDraining }

    /// Calls that wait, in line or behind another in a worker.
    var unserved: Int { waiting.count + ahead }

    /// Workers with room.
    var ready: Int { free.reduce(0) { $0 + $1.count } }

    /// How many more calls could run or start at once, those that wait taken off.
    ///
    /// - Parameter slots: what the budget has left. With nothing left there is room for one worker's calls still: they
    ///   stand in line, and so the pool gets its turn.
    package func room(_ now: Instant, slots: Int) -> Int {
        guard !isDraining else { return 0 }
        let startable = min(policy.max - workers.count, max(1, slots))
        var room = backoff.isActive(now) ? 0 : startable * policy.concurrency
        for record in workers.values where record.phase == .starting || record.phase == .ready {
            room += policy.concurrency - record.running
        }
        return max(0, room - waiting.count)
    }

    var running: Int { workers.values.reduce(0) { $0 + $1.running } - ahead }

    /// The worker that has run nothing for longest.
    func oldestIdle(besides isKept: (Record) -> Bool = { _ in false }) -> (id: WorkerID, since: Instant)? {
        workers.filter { $0.value.phase == .ready && $0.value.running == 0 && !isKept($0.value) }
            .map { (id: $0.key, since: $0.value.idleSince) }
            .min { $0.since < $1.since }
    }

    mutating func takeLast(of lane: Int) -> WorkerID? {
        guard let id = free[lane].last else { return nil }
        let isFull = claim(id)
        if isFull { free[lane].removeLast() }
        return id
    }

    /// Counts a call of `id`; returns whether it has no room for another.
    private mutating func claim(_ id: WorkerID) -> Bool {
        guard var record = workers[id] else { return true }
        record.running += 1
        // Set as a whole: changed in its place, a record costs three allocations.
        workers[id] = record
        return record.running >= policy.concurrency
    }

    mutating func removeFree(_ id: WorkerID, lane: Int) {
        if let index = free[lane].lastIndex(of: id) { free[lane].remove(at: index) }
    }

    /// Where the first in line for whom no worker starts yet would like it, or where one is missing; for `min`, where the
    /// fewest are.
    func laneForNext() -> Int {
        let starting = workers.values.count { $0.phase == .starting } * policy.concurrency
        if let waiter = waiting.waiter(behind: starting) { return waiter.lane }
        if let crowdingLane { return crowdingLane }
        // A successor comes to where its predecessor is.
        let leaving = workers.values.filter { $0.phase == .ready && $0.retirement != nil }.map(\.lane)
        if let lane = leaving.first(where: { lane in
            !workers.values.contains { $0.phase == .starting && $0.lane == lane }
        }) {
            return lane
        }
        var counts = Array(repeating: 0, count: laneCount)
        for record in workers.values { counts[record.lane] += 1 }
        return counts.indices.min { counts[$0] < counts[$1] } ?? 0
    }

    mutating func failAll(_ failure: CallFailure, _ actions: inout [Action]) {
        for id in waiting.inOrder {
            waiting.remove(id)
            actions.append(.fail(id, failure))
        }
    }

    /// Why a call cannot even stand in line.
    func refusal(_ now: Instant) -> CallFailure? {
        if let failure = unavailability(now) { return failure }
        let starting = workers.values.count { $0.phase == .starting }
        var coming = (starting + policy.max - workers.count) * policy.concurrency
        // They have room, but are not to work now.
        if isGathered { coming += ready }
        guard unserved >= limits.waiting + coming else { return nil }
        let message = "\(limits.waiting) calls wait for a worker already (limits.waiting)"
        return CallFailure(.queueFull, message, retryAfter: .seconds(1))
    }

    /// Why no call can be served now.
    func unavailability(_ now: Instant) -> CallFailure? {
        if isDraining { return Self.stopping }
        return backoff.isActive(now) && nobodyServes ? startFailure(now) : nil
    }

    func startFailure(_ now: Instant) -> CallFailure {
        CallFailure(
            .startFailed, backoff.reason, retryAfter: backoff.until.map { max(.zero, $0 - now) },
            functionError: backoff.functionError)
    }

    var waitedTooLong: CallFailure {
        CallFailure(.waitedTooLong, "no worker was free within \(limits.wait) (limits.wait)", retryAfter: .seconds(1))
    }

    static let stopping = CallFailure(.stopping, "the function is stopping")
}
