import Events
import Manifests

/// When a worker has served its time, and how its successor takes over.
///
/// A worker that is to go serves on until another is ready, so that no caller waits for the change. Only where nothing
/// can be started beside it, or that takes too long, does it go first.
extension PoolState {
    /// How long a worker that is to go waits for its successor.
    private static let successorLimit = Duration.seconds(10)
    /// At least this much lies between two looks at a worker's memory.
    private static let weighInterval = Duration.milliseconds(100)

    /// Workers that serve until another is ready.
    var retiring: Int { workers.values.count { $0.phase == .ready && $0.retirement != nil } }

    /// Whether a worker that starts now is there for those that are to go alone: they serve on, and nobody waits for it.
    var needsOnlySuccessors: Bool {
        unserved == 0 && crowdingLane == nil && retiring > 0 && live >= (keepsMinimum ? policy.min : 0)
    }

    /// Somebody waits for the workers that start.
    mutating func hurryAll(_ actions: inout [Action]) {
        for (id, record) in workers where record.phase == .starting && record.isCalm { hurry(id, &actions) }
    }

    mutating func hurry(_ id: WorkerID, _ actions: inout [Action]) {
        guard workers[id]?.isCalm == true else { return }
        workers[id]?.isCalm = false
        actions.append(.hurry(id))
    }

    /// Whether the end of another call changes nothing for the worker: its time is not over, and it need not be weighed.
    func staysReady(_ record: Record, _ now: Instant) -> Bool {
        record.phase == .ready && record.retirement == nil && record.invocations + 1 < policy.retireInvocations
            && now - record.started < policy.retireAge && (policy.retireMemory == nil || record.weighsSoon)
    }

    /// Decides after a call whether the worker is to go, and whether to find out how large it is.
    func noteRetirement(of id: WorkerID, _ record: inout Record, _ now: Instant, _ actions: inout [Action]) {
        guard record.phase == .ready, record.retirement == nil else { return }
        if record.invocations >= policy.retireInvocations || now - record.started >= policy.retireAge {
            record.retirement = Record.Retirement(reason: .retired, since: now)
        } else if policy.retireMemory != nil, !record.weighsSoon {
            record.weighsSoon = true
            actions.append(.weigh(id, at: record.weighed.map { max(now, $0 + Self.weighInterval) } ?? now))
        }
    }

    /// A worker is being weighed now: calls that end from here on may need another look.
    package mutating func weighs(_ id: WorkerID, now: Instant) {
        workers[id]?.weighsSoon = false
        workers[id]?.weighed = now
    }

    /// The processes of a worker hold so many bytes.
    package mutating func weighed(_ id: WorkerID, bytes: Int64, now: Instant) -> [Action] {
        guard let limit = policy.retireMemory, bytes > limit, let record = workers[id], record.phase == .ready,
            record.retirement == nil
        else { return [] }
        let retirement = Record.Retirement(reason: .outgrown, since: now)
        workers[id]?.retirement = retirement
        var actions: [Action] = []
        if mustGo(retirement, now) { retire(id, &actions) }
        settle(now, &actions)
        return actions
    }

    /// None of the workers may reach what it could. They take no more calls, and have no time to wait for successors: what
    /// they would be given meanwhile would fail.
    package mutating func renew(_ now: Instant) -> [Action] {
        guard !isDraining else { return [] }
        var actions: [Action] = []
        for (id, record) in workers.sorted(by: { $0.key < $1.key }) {
            switch record.phase {
            case .starting: stop(id, .outdated, &actions)
            case .ready, .yielding:
                workers[id]?.retirement = Record.Retirement(reason: .outdated, since: now)
                if hasAhead(record) { actions.append(.recall(id)) }
                retire(id, &actions)
            case .closing, .stopping: break
            }
        }
        settle(now, &actions)
        return actions
    }

    /// Whether it goes before its successor is there.
    func mustGo(_ retirement: Record.Retirement, _ now: Instant) -> Bool {
        if policy.instance == .fresh || now - retirement.since >= Self.successorLimit { return true }
        return workers.count >= policy.max && !workers.values.contains { $0.phase == .starting }
    }

    /// A worker of `lane` has become ready: one that is to go may, one of its lane if there is any. One that makes way for
    /// others needs no second successor if its calls take too long for that.
    mutating func retireOne(for lane: Int, _ actions: inout [Action]) {
        let leaving = workers.filter { $0.value.retirement != nil && ($0.value.phase == .ready || $0.value.isYielding) }
        let next = leaving.min { ($0.value.lane == lane ? 0 : 1, $0.key) < ($1.value.lane == lane ? 0 : 1, $1.key) }
        if let next { retire(next.key, &actions) }
    }

    /// Takes it out of service; it goes when its calls have ended.
    mutating func retire(_ id: WorkerID, _ actions: inout [Action]) {
        guard let record = workers[id], let reason = record.retirement?.reason else { return }
        removeFree(id, lane: record.lane)
        workers[id]?.phase = .closing
        keepSlot(of: id, &actions)
        if record.running == 0 { stop(id, reason, &actions) }
    }

    /// Lets go who is idle and old, and who has waited too long for its successor.
    mutating func retireIdle(_ now: Instant, _ actions: inout [Action]) {
        for (id, record) in workers where record.phase == .ready && record.running == 0 {
            if let retirement = record.retirement {
                if mustGo(retirement, now) { retire(id, &actions) }
            } else if now - record.started >= policy.retireAge {
                let retirement = Record.Retirement(reason: .retired, since: now)
                workers[id]?.retirement = retirement
                // One that nobody needs has no successor.
                if live > policy.min || mustGo(retirement, now) { retire(id, &actions) }
            }
        }
    }

    /// When `retireIdle` has something to do for an idle worker.
    func retirementDeadline(of record: Record) -> Instant {
        record.retirement.map { $0.since + Self.successorLimit } ?? record.started + policy.retireAge
    }
}
