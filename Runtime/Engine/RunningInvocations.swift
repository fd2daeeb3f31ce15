import Events
import Synchronization

/// The queued invocations that run, so that one can be ended from outside.
final class RunningInvocations: Sendable {
    private struct Attempt {
        let task: Task<Void, Never>
        /// Why its call was cancelled.
        var reason: String?
        var wasEnded = false

        /// The first reason counts.
        mutating func note(_ reason: String, of task: Task<Void, Never>) {
            if self.task == task, self.reason == nil { self.reason = reason }
        }
    }

    private struct State {
        var attempts: [InvocationID: Attempt] = [:]
        /// Ended between their lease and their attempt, and why.
        var early: [InvocationID: (reason: String, at: SteadyTime)] = [:]
    }

    /// What was leased runs sooner. After that, nobody asks for what had already ended.
    private static let longestLease = Duration.seconds(60)

    private let state = Mutex(State())

    /// Runs `body` until it returns, or until it is ended; the cancellation of the caller reaches it too.
    func run(
        _ id: InvocationID, on executor: any TaskExecutor, _ body: @escaping @Sendable () async -> Void
    ) async {
        // A task of its own, since only that can be cancelled without its siblings; it is awaited right here.
        let task = Task(executorPreference: executor) { await body() }
        let early = state.withLock { state in
            state.attempts[id] = Attempt(task: task)
            return state.early.removeValue(forKey: id)
        }
        if let early { end(id, because: early.reason) }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            // The dispatcher is cancelled when its time to drain is over.
            state.withLock { $0.attempts[id]?.note("the host is stopping", of: task) }
            task.cancel()
        }
        // The next attempt may have begun.
        state.withLock { if $0.attempts[id]?.task == task { $0.attempts[id] = nil } }
    }

    /// Ends the call of `id`, which runs here or is about to.
    func end(_ id: InvocationID, because reason: String) {
        let now = SteadyTime.now
        state.withLock { state -> Task<Void, Never>? in
            state.early = state.early.filter { now - $0.value.at < Self.longestLease }
            guard let task = state.attempts[id]?.task else {
                state.early[id] = (reason, now)
                return nil
            }
            state.attempts[id]?.wasEnded = true
            state.attempts[id]?.note(reason, of: task)
            return task
        }?.cancel()
    }

    /// Whether `id` was ended from outside.
    func wasEnded(_ id: InvocationID) -> Bool { state.withLock { $0.attempts[id]?.wasEnded ?? false } }

    /// Why the call of `id` was cancelled; `nil` for what is not of the queue.
    func reason(ofCancelling id: InvocationID) -> String? { state.withLock { $0.attempts[id]?.reason } }
}
