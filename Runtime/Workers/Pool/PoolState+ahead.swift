import Events
import Manifests

/// Calls that busy workers are given ahead of their turn, so that a worker goes on with the next one without a wait.
///
/// Only while more calls wait than there may be workers, and only for a worker whose last call was short. They can be given
/// back for as long as the worker has not begun them, and are, when another worker has room or the call before takes longer.
extension PoolState {
    /// What a call may take and still be a short one.
    static let patience = Duration.milliseconds(10)

    /// Workers take calls ahead, and more wait than there may be workers.
    var isCrowded: Bool { takesAhead && waiting.count > mostAtWork / 2 }

    /// Whether the worker has calls that it was given ahead of their turn.
    func hasAhead(_ record: Record) -> Bool { record.running > policy.concurrency }

    /// Whether the worker may be given the call ahead of its turn.
    ///
    /// - Parameter ended: calls of the worker that are over and counted yet.
    func mayGoAhead(_ waiter: WaiterID, to record: Record, instead ended: Int = 0) -> Bool {
        let held = record.running - ended
        return isCrowded && record.isQuick && held < policy.concurrency + record.mostAhead
            && record.invocations + held < policy.retireInvocations && waiting[waiter]?.mayGoAhead == true
    }

    /// Somebody has to look after calls that go ahead, and nobody will yet.
    func wantsWatch(_ now: Instant) -> Bool {
        isCrowded && (timer.map { $0 > now + Self.patience } ?? true)
    }

    /// The call that the worker, to which one was just passed on, is given ahead of its turn.
    package mutating func takeAhead(_ id: WorkerID, now: Instant) -> WaiterID? {
        guard isCrowded, var record = workers[id], record.running < policy.concurrency + record.mostAhead,
            isSaturated, staysReady(record, now), mayGoOn(on: record.lane),
            let first = waiting.first(near: record.lane, now: now), mayGoAhead(first, to: record)
        else { return nil }
        waiting.remove(first)
        record.running += 1
        ahead += 1
        workers[id] = record
        return first
    }

    /// The worker gives back a call that it was given ahead of its turn, which then stands in line again, unless its caller
    /// has gone.
    package mutating func returned(_ id: WorkerID) -> [Action] {
        guard var record = workers[id] else { return [] }
        removeCall(of: id, &record)
        workers[id] = record
        return [.roomGrew]
    }

    /// A call of the worker is over.
    func passTurn(_ record: inout Record, _ now: Instant) {
        record.isQuick = record.turn.map { now - $0 < Self.patience } ?? false
        record.turn = now
    }

    /// The worker has a call less: one that was ahead has its turn now, or there is room.
    mutating func removeCall(of id: WorkerID, _ record: inout Record) {
        if hasAhead(record) {
            ahead -= 1
        } else if record.running == policy.concurrency, record.phase == .ready {
            free[record.lane].append(id)
        }
        record.running -= 1
    }

    /// Asks for calls that need not wait, or that wait for one which takes long.
    mutating func recall(_ now: Instant, _ actions: inout [Action]) {
        let hasRoom = free.indices.contains { !free[$0].isEmpty && mayBegin(for: $0) }
        for (id, record) in workers where hasAhead(record) {
            let isLate = record.turn.map { now - $0 >= Self.patience } ?? true
            if hasRoom || isLate { actions.append(.recall(id)) }
        }
    }
}
