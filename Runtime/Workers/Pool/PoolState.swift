package import Events
package import Manifests

/// What a pool decides: who runs what, who waits, when workers come and go. Knows no processes, threads or clocks; the
/// time is an argument, and what is to be done comes back as actions.
///
/// Invariant after each mutation: nobody waits while a worker has room, unless enough are at work (`mostAtWork`).
package struct PoolState: Sendable {
    package typealias Instant = SteadyTime
    package typealias WorkerID = Int
    package typealias WaiterID = UInt64

    package enum Action: Sendable, Equatable {
        /// `calmly`: nobody waits for it, so that it may take longer and leave the processors to others.
        case start(WorkerID, lane: Int, calmly: Bool = false)
        /// Let the worker, which was to start calmly, have its full share of the processors from now on.
        case hurry(WorkerID)
        case give(WorkerID, to: WaiterID)
        case fail(WaiterID, CallFailure)
        /// Ask the worker to end; it runs no call.
        case stop(WorkerID, StopReason)
        /// Ask the worker for the calls that it was given ahead of their turn and has not begun; `returned` tells of each.
        case recall(WorkerID)
        /// Find out at that time how much memory the worker has, and tell `weighed`; `weighs` comes first.
        case weigh(WorkerID, at: Instant)
        /// Ask the budget for slots, take the question back, or give a slot back.
        case requestSlots(Int)
        case withdrawSlots(Int)
        /// `wasSurrendered`: the budget was told that it would be free.
        case releaseSlot(wasSurrendered: Bool)
        /// Tell the budget that a slot is about to be free for others, or that it will not be.
        case surrenderSlot
        case keepSlot
        /// Call `tick` then; replaces the timer before.
        case setTimer(Instant)
        /// `room` may have grown.
        case roomGrew
        /// Draining, and the last worker is gone.
        case drained
    }

    package enum StopReason: String, Sendable {
        case idle = "it was idle"
        case retired = "it has served its time"
        case outdated = "a path that its manifest grants leads to something else now"
        case outgrown = "its processes hold more than retire.memory"
        case surrendered = "another function needs its place"
        case draining = "the function is stopping"
    }

    struct Record: Sendable {
        enum Phase: Sendable, Equatable {
            case starting, ready
            /// Makes way for another function if what it runs ends by then, and takes no more until then.
            case yielding(until: Instant)
            /// Runs what it has and takes no more.
            case closing
            case stopping
        }

        /// A worker that is to go: why, and since when.
        struct Retirement: Sendable {
            let reason: StopReason
            let since: Instant
        }

        let lane: Int
        var phase = Phase.starting
        /// It was to start calmly, and still may.
        var isCalm = false
        var retirement: Retirement?
        /// It has run a call since it was weighed, and will be again.
        var weighsSoon = false
        var weighed: Instant?
        /// Those that it was given ahead of their turn among them.
        var running = 0
        var invocations = 0
        /// Calls that it takes ahead of their turn.
        var mostAhead = 0
        /// When a call of it has ended for the last time, and whether that was soon after the one before.
        var turn: Instant?
        var isQuick = false
        /// How many it had run at the last look at what calls take, if it was at work.
        var seen: Int?
        let started: Instant
        /// Since when it takes calls.
        var servingSince: Instant?
        /// The budget was told that its slot is about to be free.
        var isSurrendered = false
        /// How often its calls took too long when it was to make way for others.
        var failedYields = 0
        var idleSince: Instant

        var isUnused: Bool { running == 0 && invocations == 0 }
    }

    let policy: WorkerPolicy
    let limits: Limits
    let laneCount: Int
    /// Of the machine.
    let processors: Int

    var workers: [WorkerID: Record] = [:]
    /// Ready workers with room for a call, by lane; the last is the one that has been used last, so that one fills up
    /// before the next gets a call and those that are not needed grow old.
    var free: [[WorkerID]]
    var waiting: WaitingLine
    /// Calls that workers were given ahead of their turn, and whether they take any.
    package internal(set) var ahead = 0
    var takesAhead = false
    /// No more workers are at work than the processors can run, since calls are so short.
    var isGathered = false
    /// When what calls take was looked at for the last time.
    var lastLook: Instant?
    /// Workers that take calls, by lane.
    var serving: [Int]
    /// A lane without a worker, whose calls crowd a worker of another: each of them hops to that lane and back.
    var crowdingLane: Int?
    /// There was no slot for a worker of its own; not asked again until there is one for another reason.
    var isReliefScarce = false
    /// Slots that the budget was asked for and has not granted.
    var requested = 0
    var backoff = StartBackoff()
    var started = 0
    var isDraining = false
    var keepsMinimum = false
    /// Workers to be started before the first is ready, without a call.
    var headStart = 0
    /// Only where each call gets a new worker.
    var spares = SpareDemand()
    private var lastWorker = 0
    var timer: Instant?

    package init(policy: WorkerPolicy, limits: Limits, laneCount: Int, processors: Int) {
        self.policy = policy
        self.limits = limits
        self.laneCount = laneCount
        self.processors = processors
        serving = Array(repeating: 0, count: laneCount)
        free = Array(repeating: [], count: laneCount)
        waiting = WaitingLine(laneCount: laneCount)
    }

    // MARK: Calls

    /// A worker with room, at once, one on `lane` where there is one. The common way, which does nothing else.
    package mutating func takeFree(lane: Int) -> WorkerID? {
        guard mayBegin(for: lane) else { return nil }
        if let id = takeLast(of: lane) { return id }
        for other in free.indices where other != lane {
            if let id = takeLast(of: other) {
                noteBorrowing(of: id, by: lane)
                return id
            }
        }
        return nil
    }

    /// With so many calls at once on a borrowed worker, a worker of its own is worth a lane's while.
    private static let crowd = 4

    private mutating func noteBorrowing(of id: WorkerID, by lane: Int) {
        guard crowdingLane == nil, !isReliefScarce, workers.count < policy.max, let worker = workers[id],
            worker.running > Self.crowd
        else { return }
        if !workers.values.contains(where: { $0.lane == lane }) { crowdingLane = lane }
    }

    /// `relieve` has something to do.
    package var needsRelief: Bool { isFresh || crowdingLane != nil && requested == 0 }

    /// Starts a worker on the lane that crowds another's, or in the place of the one that a call has taken.
    package mutating func relieve(_ now: Instant) -> [Action] {
        if isFresh { spares.called(ready: ready + 1, most: policy.max, now: now) }
        return settled(now)
    }

    /// A call that found no free worker stands in line, or is turned away.
    ///
    /// - Parameter mayGoAhead: a worker may be given it ahead of its turn.
    package mutating func wait(
        _ waiter: WaiterID, lane: Int, mayGoAhead: Bool = false, now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        if let failure = refusal(now) {
            actions.append(.fail(waiter, failure))
        } else if let worker = takeFree(lane: lane) {
            actions.append(.give(worker, to: waiter))
        } else {
            if isFresh { spares.called(ready: 0, most: policy.max, now: now) }
            append(waiter, lane: lane, mayGoAhead: mayGoAhead, now: now)
            hurryAll(&actions)
            settle(now, &actions)
        }
        return actions
    }

    private mutating func append(_ waiter: WaiterID, lane: Int, mayGoAhead: Bool, now: Instant) {
        waiting.append(
            waiter, .init(lane: lane, since: now, deadline: now + limits.wait, mayGoAhead: mayGoAhead))
    }

    /// A call whose worker has not begun it has its place in line again: the worker had gone, or was needed for longer by the
    /// call before.
    ///
    /// - Parameter waited: how long it has stood there already; the time with the worker does not count.
    package mutating func waitAgain(
        _ waiter: WaiterID, lane: Int, after waited: Duration, now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        if let failure = unavailability(now) {
            actions.append(.fail(waiter, failure))
        } else {
            let since = now + (.zero - waited)
            waiting.putBack(
                waiter, .init(lane: lane, since: since, deadline: since + limits.wait, mayGoAhead: false))
            hurryAll(&actions)
            settle(now, &actions)
        }
        return actions
    }

    /// The common way to stand in line, behind others and with no worker that could be added: there is nothing else to be
    /// done. `false`, with nothing changed, for any other: `wait` decides.
    package mutating func waitQuietly(
        _ waiter: WaiterID, lane: Int, mayGoAhead: Bool = false, now: Instant
    ) -> Bool {
        guard isSaturated, !isFresh, !waiting.isEmpty, unserved < limits.waiting, !backoff.isActive(now) else {
            return false
        }
        append(waiter, lane: lane, mayGoAhead: mayGoAhead, now: now)
        return true
    }

    /// A waiter has gone. `false` when it has been given a worker, or turned away, already.
    package mutating func abandon(_ waiter: WaiterID, now: Instant) -> (wasWaiting: Bool, actions: [Action]) {
        guard waiting.remove(waiter) else { return (false, []) }
        var actions: [Action] = [.roomGrew]
        settle(now, &actions)
        return (true, actions)
    }

    /// The common end of a call, of a worker that goes on, with nobody waiting for its place: there is room, or it has its
    /// next call already, and nothing else is to be done. `false`, with nothing changed, for any other: `release` decides.
    package mutating func releaseQuietly(_ id: WorkerID, now: Instant) -> Bool {
        guard !isDraining, var record = workers[id], staysReady(record, now),
            hasAhead(record) || waiting.isEmpty && ahead == 0
        else { return false }
        // The last call makes the worker idle, which the timer must know of.
        if record.running == 1, timer.map({ now + policy.idle < $0 }) ?? true { return false }
        removeCall(of: id, &record)
        passTurn(&record, now)
        record.invocations += 1
        record.idleSince = now
        backoff.succeeded()
        workers[id] = record
        return true
    }

    /// The common end of a call, of a worker that goes on, while others wait and no worker could be added: whoever is the
    /// first of them near it has the place now. `nil`, with nothing changed, for any other: `release` decides.
    package mutating func passOn(_ id: WorkerID, now: Instant) -> WaiterID? {
        guard isSaturated, var record = workers[id], staysReady(record, now), !wantsWatch(now),
            mayGoOn(on: record.lane), let first = waiting.first(near: record.lane, now: now)
        else { return nil }
        passTurn(&record, now)
        record.invocations += 1
        // Its next call is one that it has already; this one comes ahead of its turn.
        if hasAhead(record), !mayGoAhead(first, to: record, instead: 1) { return nil }
        waiting.remove(first)
        backoff.succeeded()
        workers[id] = record
        return first
    }

    /// A call of worker `id` has ended.
    ///
    /// - Parameter pressure: others want its place.
    package mutating func release(_ id: WorkerID, pressure: BudgetPressure = .none, now: Instant) -> [Action] {
        guard var record = workers[id] else { return [] }
        passTurn(&record, now)
        removeCall(of: id, &record)
        record.invocations += 1
        record.idleSince = now
        backoff.succeeded()
        var actions: [Action] = []
        noteRetirement(of: id, &record, now, &actions)
        if record.phase == .ready, let retirement = record.retirement, mustGo(retirement, now) {
            record.phase = .closing
            removeFree(id, lane: record.lane)
        }
        workers[id] = record
        switch record.phase {
        case .closing where record.running == 0:
            // One without a reason of ours ends by itself.
            if let reason = record.retirement?.reason { stop(id, reason, &actions) }
        case .ready where record.running == 0 && isDraining: stop(id, .draining, &actions)
        case .ready where makesWay(record, pressure, now): makeWay(id, now, &actions)
        case .yielding where record.running == 0: stop(id, isDraining ? .draining : .surrendered, &actions)
        case .ready:
            if waiting.isEmpty { actions.append(.roomGrew) }
            if waiting.isEmpty, ahead == 0, record.retirement == nil {
                if record.running == 0 { arm(now + policy.idle, &actions) }
                return actions
            }
        case .starting, .yielding, .closing, .stopping: break
        }
        settle(now, &actions)
        return actions
    }

    // MARK: Workers

    /// Starts the workers that `min` asks for, and keeps as many.
    package mutating func keepMinimum(_ now: Instant) -> [Action] {
        keepsMinimum = true
        return settled(now)
    }

    /// The budget grants a slot.
    package mutating func slotGranted(_ now: Instant) -> [Action] {
        requested = max(0, requested - 1)
        isReliefScarce = false
        guard missingWorkers(now) > 0 else { return [.releaseSlot(wasSurrendered: false)] + settled(now) }
        lastWorker += 1
        started += 1
        let lane = laneForNext()
        let isCalm = needsOnlySuccessors
        if lane == crowdingLane { crowdingLane = nil }
        workers[lastWorker] = Record(lane: lane, isCalm: isCalm, started: now, idleSince: now)
        return [.start(lastWorker, lane: lane, calmly: isCalm)] + settled(now)
    }

    /// - Parameter ahead: so many calls it takes ahead of their turn.
    package mutating func workerReady(_ id: WorkerID, ahead: Int = 0, now: Instant) -> [Action] {
        guard let record = workers[id], record.phase == .starting else { return [] }
        workers[id]?.phase = .ready
        workers[id]?.servingSince = now
        workers[id]?.mostAhead = ahead
        takesAhead = ahead > 0
        workers[id]?.idleSince = now
        headStart = 0
        backoff.started()
        var actions: [Action] = []
        hurry(id, &actions)
        if isDraining {
            stop(id, .draining, &actions)
        } else {
            free[record.lane].append(id)
            actions.append(.roomGrew)
            retireOne(for: record.lane, &actions)
        }
        settle(now, &actions)
        return actions
    }

    /// The worker runs what it has and takes no more calls; it ends by itself.
    package mutating func workerCloses(_ id: WorkerID, now: Instant) -> [Action] {
        guard let record = workers[id], record.phase != .closing, record.phase != .stopping else { return [] }
        removeFree(id, lane: record.lane)
        workers[id]?.phase = .closing
        // Its exit will say more.
        if record.isUnused { backoff.failed("the worker ended before it had run a call", now: now) }
        var actions: [Action] = []
        // Until then its place may be long in coming.
        keepSlot(of: id, &actions)
        settle(now, &actions)
        return actions
    }

    /// The worker's process is gone, or was never there. `reason` is for those who wait for its start.
    ///
    /// - Parameters:
    ///   - functionError: the same, as the function itself has said it.
    ///   - couldNotStart: it was ready to start a process for a call, and failed to.
    package mutating func workerExited(
        _ id: WorkerID, reason: String, functionError: FunctionError? = nil, couldNotStart: Bool = false,
        now: Instant
    ) -> [Action] {
        guard let record = workers.removeValue(forKey: id) else { return [] }
        removeFree(id, lane: record.lane)
        ahead -= max(0, record.running - policy.concurrency)
        var actions: [Action] = [.releaseSlot(wasSurrendered: record.isSurrendered)]
        let diedUnused = record.phase == .ready && record.isUnused
        if record.phase == .starting || diedUnused || couldNotStart {
            backoff.failed(reason, functionError, now: now)
            headStart = 0
            if nobodyServes { failAll(startFailure(now), &actions) }
        }
        settle(now, &actions)
        if !backoff.isActive(now) { actions.append(.roomGrew) }
        if isDraining, workers.isEmpty { actions.append(.drained) }
        return actions
    }

    // MARK: Time and the end

    /// - Parameter callTime: what a worker's calls take, if it has said so.
    package mutating func tick(_ now: Instant, callTime: (WorkerID) -> Duration? = { _ in nil }) -> [Action] {
        timer = nil
        gather(now, callTime)
        var actions: [Action] = []
        while let late = waiting.firstToExpire, late.deadline <= now {
            waiting.remove(late.id)
            actions.append(.fail(late.id, waitedTooLong))
        }
        stopOld(now, &actions)
        goOn(now, &actions)
        settle(now, &actions)
        if !backoff.isActive(now), backoff.until != nil {
            backoff.started()
            actions.append(.roomGrew)
        }
        return actions
    }

    /// Takes no more calls, turns away who waits, and stops each worker once it runs nothing.
    package mutating func drain(_ now: Instant) -> [Action] {
        isDraining = true
        var actions: [Action] = []
        failAll(Self.stopping, &actions)
        for (id, record) in workers where record.phase == .starting || record.phase == .ready && record.running == 0 {
            stop(id, .draining, &actions)
        }
        settle(now, &actions)
        if workers.isEmpty { actions.append(.drained) }
        return actions
    }
}
