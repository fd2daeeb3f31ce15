import Events
import Manifests

/// What must hold after every change of a pool, and when it has to look again.
extension PoolState {
    mutating func settled(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        settle(now, &actions)
        return actions
    }

    /// Restores what must hold after every change: free workers serve who waits, and as many start as are missing.
    mutating func settle(_ now: Instant, _ actions: inout [Action]) {
        noteServing()
        while let oldest = waiting.first, let waiter = waiting[oldest], let worker = takeFree(lane: waiter.lane) {
            let next = workers[worker].flatMap { waiting.first(near: $0.lane, now: now) } ?? oldest
            waiting.remove(next)
            actions.append(.give(worker, to: next))
        }
        serveLanes(now, &actions)
        if ahead > 0 { recall(now, &actions) }
        let wanted = missingWorkers(now)
        if wanted > requested { actions.append(.requestSlots(wanted - requested)) }
        if wanted < requested { actions.append(.withdrawSlots(requested - wanted)) }
        requested = wanted
        if let next = nextDeadline(now) { arm(next, &actions) }
    }

    /// Workers to be started, besides those that are starting.
    func missingWorkers(_ now: Instant) -> Int {
        guard !isDraining, !backoff.isActive(now) else { return 0 }
        let starting = workers.values.count { $0.phase == .starting }
        let forSpares = isFresh ? max(0, spares.target - ready) : 0
        let missing = unserved + forSpares - starting * policy.concurrency
        let most = isGathered ? mostAtWork - live : missing
        let forCalls = missing <= 0 ? 0 : min(most, (missing + policy.concurrency - 1) / policy.concurrency)
        let forMinimum = keepsMinimum ? policy.min - live : 0
        let forLane = crowdingLane == nil ? 0 : 1
        let forRetirement = retiring - starting
        let wanted = max(forCalls, forMinimum, forLane, forRetirement, headStart - live)
        return max(0, min(policy.max - workers.count, wanted))
    }

    mutating func arm(_ deadline: Instant, _ actions: inout [Action]) {
        if let timer, timer <= deadline { return }
        timer = deadline
        actions.append(.setTimer(deadline))
    }

    mutating func nextDeadline(_ now: Instant) -> Instant? {
        var next = waiting.firstToExpire?.deadline
        func consider(_ instant: Instant) { next = min(next ?? instant, instant) }
        let mayStop = live > policy.min
        for record in workers.values where record.phase == .ready && record.running == 0 {
            if mayStop { consider(idleDeadline(of: record.idleSince)) }
            consider(retirementDeadline(of: record))
        }
        for record in workers.values {
            if case .yielding(let until) = record.phase { consider(until) }
        }
        if let until = backoff.until { consider(until) }
        if ahead > 0 || isCrowded || isGathered { consider(now + Self.patience) }
        return next
    }

    mutating func stopOld(_ now: Instant, _ actions: inout [Action]) {
        retireIdle(now, &actions)
        while live > policy.min, let oldest = oldestIdle(), now >= idleDeadline(of: oldest.since) {
            spares.forgo()
            stop(oldest.id, .idle, &actions)
        }
    }

    mutating func stop(_ id: WorkerID, _ reason: StopReason, _ actions: inout [Action]) {
        guard let record = workers[id] else { return }
        removeFree(id, lane: record.lane)
        workers[id]?.phase = .stopping
        actions.append(.stop(id, reason))
    }

    /// When a worker that has had nothing to do since then is too many. One that is kept ahead waits for as long as the
    /// function is called.
    private func idleDeadline(of since: Instant) -> Instant {
        guard isFresh, let last = spares.idleDeadline(after: policy.idle) else { return since + policy.idle }
        return max(since + policy.idle, last)
    }
}
