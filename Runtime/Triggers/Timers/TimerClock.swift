package import Events
import Glibc
import Synchronization

/// The clocks that timers go by, and the wait for the next instant.
package protocol TimerClock: Sendable {
    /// The wall clock.
    var now: WallTime { get }
    /// A clock that never jumps, and stands still while the machine sleeps.
    var uptime: Duration { get }
    /// An element whenever it is worth looking at the clocks: the armed time has come, the wall clock was set, or `wake`
    /// was called. Several may come as one.
    var wakes: AsyncStream<Void> { get }
    func arm(at time: WallTime?)
    func wake()
    func start() throws
    /// Ends `wakes`.
    func stop()
}

/// `CLOCK_REALTIME` and `CLOCK_MONOTONIC`, awaited by a thread.
package final class SystemTimerClock: TimerClock {
    package let wakes: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let alarm = Mutex<WallAlarm?>(nil)

    package init() {
        (wakes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package var now: WallTime { .now() }

    package var uptime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    package func arm(at time: WallTime?) {
        let wasStepped = alarm.withLock { $0?.arm(at: time) == .clockWasSet }
        if wasStepped { wake() }
    }

    package func wake() { continuation.yield() }

    package func start() throws {
        let continuation = continuation
        let alarm = try WallAlarm { continuation.yield() }
        self.alarm.withLock { $0 = alarm }
        wake()
    }

    package func stop() {
        continuation.finish()
        alarm.withLock { alarm in
            alarm?.stop()
            alarm = nil
        }
    }
}
