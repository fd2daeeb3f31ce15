import Events
import Synchronization

/// The queued invocations that run, so that one can be ended from outside.
final class RunningInvocations: Sendable {
    private struct State {
        var tasks: [InvocationID: Task<Void, Never>] = [:]
        var ended: Set<InvocationID> = []
    }

    private let state = Mutex(State())

    /// Runs `body` until it returns, or until it is ended; the cancellation of the caller reaches it too.
    func run(
        _ id: InvocationID, on executor: any TaskExecutor, _ body: @escaping @Sendable () async -> Void
    ) async {
        // A task of its own, since only that can be cancelled without its siblings; it is awaited right here.
        let task = Task(executorPreference: executor) { await body() }
        state.withLock { $0.tasks[id] = task }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        state.withLock { state in
            state.tasks[id] = nil
            state.ended.remove(id)
        }
    }

    /// Ends the call of `id` if it runs here.
    func end(_ id: InvocationID) {
        state.withLock { state -> Task<Void, Never>? in
            guard let task = state.tasks[id] else { return nil }
            state.ended.insert(id)
            return task
        }?.cancel()
    }

    /// Whether `id` was ended from outside.
    func wasEnded(_ id: InvocationID) -> Bool { state.withLock { $0.ended.contains(id) } }
}
