import Synchronization

/// Open connections of all lanes, and the wait for the last to go.
final class ConnectionCount: Sendable {
    private struct State {
        var count = 0
        var waiter: CheckedContinuation<Void, Never>?

        mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
            defer { waiter = nil }
            return waiter
        }
    }

    private let state = Mutex(State())

    var value: Int { state.withLock { $0.count } }

    /// Returns the count with the new one.
    func add() -> Int {
        state.withLock {
            $0.count += 1
            return $0.count
        }
    }

    func subtract() {
        let waiter = state.withLock {
            $0.count -= 1
            return $0.count == 0 ? $0.takeWaiter() : nil
        }
        waiter?.resume()
    }

    /// Returns when there is none, or after `time`, or when the task is cancelled. For one caller at a time.
    func none(within time: Duration) async {
        await withTaskGroup { group in
            group.addTask { await self.none() }
            group.addTask { try? await Task.sleep(for: time) }
            await group.next()
            group.cancelAll()
        }
    }

    private func none() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.count == 0 || Task.isCancelled { return true }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.takeWaiter() }?.resume()
        }
    }
}
