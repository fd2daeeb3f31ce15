import Events
import Synchronization

/// Tells those who wait for a queued invocation that an attempt has ended; what became of it is in the store.
final class Endings: Sendable {
    private struct State {
        var watched: [InvocationID: Signal] = [:]
        var isStopping = false
    }

    private let state = Mutex(State())

    /// The signal for the end of each attempt, and of the invocation. One watches an invocation at a time.
    func watch(_ id: InvocationID) -> Signal {
        let signal = Signal()
        state.withLock { $0.watched[id] = signal }
        return signal
    }

    func unwatch(_ id: InvocationID) { state.withLock { $0.watched[id] = nil } }

    func ended(_ id: InvocationID) { state.withLock { $0.watched[id] }?.signal() }

    /// Nothing more is leased: it makes no sense to wait for what has not ended.
    func stop() {
        let signals = state.withLock { state in
            state.isStopping = true
            return Array(state.watched.values)
        }
        for signal in signals { signal.signal() }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }
}
