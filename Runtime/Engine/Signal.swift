import Events
package import NIOCore
import Synchronization

/// Something may have changed: wakes the one who waits, at once or at the next wait. Any number of signals between two
/// waits count as one.
package final class Signal: Sendable {
    private enum State {
        case quiet
        case signalled
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    package init() {}

    package func signal() {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard case .waiting(let continuation) = state else {
                state = .signalled
                return nil
            }
            state = .quiet
            return continuation
        }
        waiter?.resume()
    }

    /// Returns after the next signal, after `longest`, or when the task is cancelled. One waiter at a time.
    package func wait(longest: Duration, on loop: any EventLoop) async {
        let alarm = loop.scheduleTask(in: .nanoseconds(longest.nanoseconds)) { self.signal() }
        defer { alarm.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if case .signalled = state {
                        state = .quiet
                        return true
                    }
                    state = .waiting(continuation)
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            signal()
        }
    }
}
