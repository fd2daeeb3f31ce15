import Events
import Synchronization

/// Tells those who wait for a queued invocation that an attempt has ended; what became of it is in the store.
final class Endings: Sendable {
    private let watched = Mutex<[InvocationID: Signal]>([:])

    /// The signal for the end of each attempt, and of the invocation. One watches an invocation at a time.
    func watch(_ id: InvocationID) -> Signal {
        let signal = Signal()
        watched.withLock { $0[id] = signal }
        return signal
    }

    func unwatch(_ id: InvocationID) { watched.withLock { $0[id] = nil } }

    func ended(_ id: InvocationID) { watched.withLock { $0[id] }?.signal() }
}
