import Events
import Manifests

/// Fewer workers at work than there may be, while calls crowd of which each is over before another worker would have been
/// switched to.
///
/// Workers beyond those that the processors can run at once take turns on them, and each turn costs more than such a call.
/// They are of use again as soon as a call takes longer.
extension PoolState {
    /// What such a call takes at most. A worker for each processor has time for 20,000 of them a second, more than the host
    /// gives it.
    private static let brief = Duration.microseconds(50)

    /// One more than the processors run, for one that is switched to or waits.
    package var mostAtWork: Int { isGathered ? min(policy.max, processors + 1) : policy.max }

    private var atWork: Int { serving.reduce(0, +) - ready }

    private func atWork(on lane: Int) -> Int { serving[lane] - free[lane].count }

    /// Whether an idle worker may go to work for a call of `lane`: while too few are at work, or none near it.
    func mayBegin(for lane: Int) -> Bool {
        !isGathered || atWork < mostAtWork || atWork(on: lane) == 0 && !free[lane].isEmpty
    }

    /// Whether a worker of `lane` may go on with the next call in line.
    func mayGoOn(on lane: Int) -> Bool { !isGathered || atWork <= mostAtWork || atWork(on: lane) == 1 }

    /// Counts the workers that take calls, by lane. To be called after each change of who does.
    mutating func noteServing() {
        for lane in serving.indices { serving[lane] = 0 }
        for record in workers.values where record.phase == .ready { serving[record.lane] += 1 }
    }

    /// Who waits near idle workers, with none at work there, has been passed by.
    mutating func serveLanes(_ now: Instant, _ actions: inout [Action]) {
        for lane in free.indices where isGathered && !free[lane].isEmpty {
            guard let next = waiting.first(near: lane, now: now), let worker = takeFree(lane: lane) else { continue }
            waiting.remove(next)
            actions.append(.give(worker, to: next))
        }
    }

    /// Decides anew, while a crowd waits.
    ///
    /// - Parameter callTime: what a worker's calls take, if it has said so.
    mutating func gather(_ now: Instant, _ callTime: (WorkerID) -> Duration?) {
        // After less, a call that has not ended since the last look need not be a long one.
        if let lastLook, now - lastLook < Self.patience { return }
        lastLook = now
        isGathered = areBrief(callTime) && processors + 1 < policy.max && unserved > (isGathered ? 0 : policy.max / 2)
    }

    /// No call takes longer, as far as is known, and of some it is.
    private mutating func areBrief(_ callTime: (WorkerID) -> Duration?) -> Bool {
        var (areKnown, areBrief) = (false, true)
        for (id, record) in workers where record.phase == .ready {
            let isAtWork = record.running > 0
            workers[id]?.seen = isAtWork ? record.invocations : nil
            guard isAtWork else { continue }
            // One that has not ended any since the last look is in the middle of a long one.
            let time = callTime(id)
            if record.seen == record.invocations || time ?? .zero > Self.brief { areBrief = false }
            if time != nil { areKnown = true }
        }
        return areKnown && areBrief
    }
}
