import Events
import Manifests
import NIOCore
import Synchronization
import Wire

/// Calls that a worker is sent while it runs as many as it may, so that it finds the next one without a wait. It does not
/// have them until it takes them: meanwhile they can be given to another.
extension ApusConnection {
    /// The worker runs as many calls as it may.
    var hasTurnsTaken: Bool { calls.count >= process.manifest.workers.concurrency }

    /// `false`: it cannot be sent ahead, and is to be given back.
    func putAhead(_ call: ApusCall) -> Bool {
        guard let memory, memory.callsAhead.put(call.id) else { return false }
        call.isAhead = true
        ahead.append(call)
        return true
    }

    /// A call has ended: it is the next one's turn.
    func passTurn() {
        while calls.count - ahead.count < process.manifest.workers.concurrency, let next = ahead.first { begins(next) }
    }

    /// The worker says something of the call, and must have taken it. `false`: it has not.
    func noteBegun(_ call: ApusCall) -> Bool {
        guard let memory, !memory.callsAhead.contains(call.id) else { return false }
        begins(call)
        return true
    }

    private func begins(_ call: ApusCall) {
        ahead.removeAll { $0 === call }
        call.isAhead = false
        call.deadline = .now() + .nanoseconds(call.call.time.nanoseconds)
        watch(call.deadline)
    }

    func noteCallTime() {
        if let memory { callTime.store(memory.callTimes.mean, ordering: .relaxed) }
    }

    /// Whether the worker has begun one of them, of which the host learns by the answer to the one before.
    var hasBegunAhead: Bool {
        guard let next = ahead.first, let memory else { return false }
        return !memory.callsAhead.contains(next.id)
    }

    /// Gives back those that the worker has not begun. None is ahead then.
    func recall() {
        for call in ahead {
            guard takeBack(call) else {
                begins(call)
                continue
            }
            // Soon: this connection may be in the middle of something.
            loop.execute { call.answer(nil) }
        }
    }

    /// `false`: it is not ahead, or the worker has begun it. Otherwise the connection knows it no more.
    func takeBack(_ call: ApusCall) -> Bool {
        guard call.isAhead, let memory, memory.callsAhead.take(call.id) else { return false }
        call.isAhead = false
        ahead.removeAll { $0 === call }
        calls[call.id] = nil
        reports.returned()
        return true
    }
}
