package import Events
package import NIOCore
import Synchronization

/// Something may have changed, or will be due: wakes the one who waits, at once or at the next wait. Any number of signals
/// between two waits count as one, and what is due only after the end of a wait wakes nobody.
package final class Signal: Sendable {
    private enum State {
        case quiet
        /// What is due first.
        case signalled(WallTime)
        case waiting(CheckedContinuation<Void, Never>, until: WallTime)
    }

    private let state = Mutex(State.quiet)

    package init() {}

    package func signal() { signal(due: Self.atOnce) }

    private static let atOnce = WallTime(milliseconds: .min)

    package func signal(due: WallTime) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            switch state {
            case .quiet: state = .signalled(due)
            case .signalled(let first): state = .signalled(min(first, due))
            case .waiting(_, let end) where due > end: break
            case .waiting(let continuation, _):
                state = .quiet
                return continuation
            }
            return nil
        }
        waiter?.resume()
    }

    /// Returns after the next signal, after `longest`, or when the task is cancelled. One waiter at a time.
    package func wait(longest: Duration, on loop: any EventLoop) async {
        let end = WallTime.now().advanced(by: longest)
        let alarm = loop.scheduleTask(in: .nanoseconds(longest.nanoseconds)) { self.signal() }
        defer { alarm.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if case .signalled(let due) = state, due <= end {
                        state = .quiet
                        return true
                    }
                    state = .waiting(continuation, until: end)
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            signal()
        }
    }
}
