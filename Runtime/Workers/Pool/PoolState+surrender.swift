import Events
import Manifests

/// How workers make way for those of other functions, which have fewer, when the budget has nothing left.
extension PoolState {
    /// What a worker that others wait for has before it makes way while it has calls.
    private static let turn = Duration.milliseconds(250)
    /// What the calls of such a worker get to end. One that runs several at a time would hardly ever be idle.
    private static let yieldLimit = Duration.milliseconds(50)
    /// How long a worker that has come for another is left for the callers of that one.
    private static let handover = Duration.milliseconds(50)

    /// Gives up the worker that has been idle for longest, if `min` allows. The budget asks for it.
    package mutating func surrender(_ now: Instant) -> [Action] {
        guard let id = surrenderable(now)?.id else { return [] }
        // Otherwise another would be started in its place.
        spares.forgo()
        var actions: [Action] = []
        makeWay(id, now, &actions)
        settle(now, &actions)
        return actions
    }

    /// The worker that others could have: the one that has run nothing for longest. Not one that has just come for one that
    /// is to go and whose calls end: their callers are about to come back.
    package func surrenderable(_ now: Instant) -> (id: WorkerID, since: Instant)? {
        guard live > policy.min else { return nil }
        let isHandingOver = workers.values.contains {
            $0.phase == .closing && $0.retirement != nil && $0.running > 0
        }
        return oldestIdle { record in
            isHandingOver && record.isUnused && record.servingSince.map { now - $0 < Self.handover } ?? false
        }
    }

    /// The budget has nothing left: those that were asked for to be ready ahead, or to spare calls a hop to another lane, are
    /// not worth another pool's workers.
    package mutating func slotsAreScarce(_ now: Instant) -> [Action] {
        guard isFresh && spares.target > 0 || crowdingLane != nil else { return [] }
        spares.forgo()
        isReliefScarce = crowdingLane != nil
        crowdingLane = nil
        return settled(now)
    }

    /// Whether a worker, a call of which has just ended, makes way though calls wait for it.
    func makesWay(_ record: Record, _ pressure: BudgetPressure, _ now: Instant) -> Bool {
        guard pressure.isUrgent, live > policy.min else { return false }
        let hadTurn = record.servingSince.map { now - $0 >= Self.turn * record.patience } ?? false
        return hadTurn || pressure == .surplus && record.running == 0
    }

    /// It stops; one that runs calls does when they end soon.
    mutating func makeWay(_ id: WorkerID, _ now: Instant, _ actions: inout [Action]) {
        guard let record = workers[id] else { return }
        workers[id]?.isSurrendered = true
        actions.append(.surrenderSlot)
        guard record.running > 0 else { return stop(id, .surrendered, &actions) }
        removeFree(id, lane: record.lane)
        workers[id]?.phase = .yielding(until: now + Self.yieldLimit * record.patience)
        if hasAhead(record) { actions.append(.recall(id)) }
    }

    /// Those whose calls did not end serve on.
    mutating func goOn(_ now: Instant, _ actions: inout [Action]) {
        for (id, record) in workers {
            guard case .yielding(let until) = record.phase, until <= now else { continue }
            workers[id]?.phase = .ready
            workers[id]?.servingSince = now
            workers[id]?.failedYields += 1
            if record.running < policy.concurrency { free[record.lane].append(id) }
            keepSlot(of: id, &actions)
            actions.append(.roomGrew)
        }
    }

    /// Others need not count on its slot any more.
    mutating func keepSlot(of id: WorkerID, _ actions: inout [Action]) {
        guard workers[id]?.isSurrendered == true else { return }
        workers[id]?.isSurrendered = false
        actions.append(.keepSlot)
    }
}

extension PoolState.Record {
    /// Calls that take long get longer to end each time, after turns that are longer by as much, so that a worker spends no
    /// more than a sixth of its time so.
    fileprivate var patience: Int { 1 << min(failedYields, 5) }

    var isYielding: Bool { if case .yielding = phase { true } else { false } }
}
