import CTimerfd
import Events
import Glibc

/// A thread that waits in `timerfd` (timerfd_create(2)) for a time of the wall clock, or for the clock to be set.
///
/// A thread of its own is late by microseconds, where a shared one waits for whatever else runs there.
struct WallAlarm {
    enum Arming { case armed, clockWasSet }

    struct Failure: Error, CustomStringConvertible {
        var call: String
        var code: Int32
        var description: String { "cannot wait for timers: \(call): \(String(cString: strerror(code)))" }
    }

    private final class Start {
        let timer: Int32
        let stop: Int32
        let ring: @Sendable () -> Void

        init(timer: Int32, stop: Int32, ring: @escaping @Sendable () -> Void) {
            self.timer = timer
            self.stop = stop
            self.ring = ring
        }
    }

    private let timer: Int32
    private let stopSignal: Int32
    private let thread: pthread_t

    /// - Parameter ring: called on the thread, for each time that has come and each time the clock was set.
    init(ring: @escaping @Sendable () -> Void) throws {
        let timer = timerfd_create(CLOCK_REALTIME, Int32(TFD_NONBLOCK | TFD_CLOEXEC))
        guard timer >= 0 else { throw Failure(call: "timerfd_create", code: errno) }
        let stopSignal = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard stopSignal >= 0 else {
            defer { close(timer) }
            throw Failure(call: "eventfd", code: errno)
        }
        let start = Unmanaged.passRetained(Start(timer: timer, stop: stopSignal, ring: ring))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                // Proof: `argument` is `start`, retained once for this thread; pthread_create passes it unchanged.
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                WallAlarm.wait(start)
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            close(timer)
            close(stopSignal)
            throw Failure(call: "pthread_create", code: code)
        }
        self.timer = timer
        self.stopSignal = stopSignal
        self.thread = thread
    }

    /// Replaces the time that is waited for; one that has passed rings at once. Without a time only a set clock rings.
    func arm(at time: WallTime?) -> Arming {
        // A time of zero would disarm the timer, and the clock's being set goes unnoticed then.
        let milliseconds = max(time?.milliseconds ?? .max, 1)
        var spec = itimerspec()
        spec.it_value.tv_sec = Int(milliseconds / 1000)
        spec.it_value.tv_nsec = Int(milliseconds % 1000) * 1_000_000
        let flags = Int32(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
        // It fails with ECANCELED, and is armed nevertheless, when the clock was set since the last call. Of the other
        // errors in the manual page none can happen to these arguments.
        return timerfd_settime(timer, flags, &spec, nil) == 0 ? .armed : .clockWasSet
    }

    /// Ends the thread and waits for it.
    func stop() {
        eventfd_write(stopSignal, 1)
        pthread_join(thread, nil)
        close(timer)
        close(stopSignal)
    }

    private static func wait(_ start: Start) {
        var files = [
            pollfd(fd: start.timer, events: Int16(POLLIN), revents: 0),
            pollfd(fd: start.stop, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            // Only a signal can interrupt it, and then it is called again.
            guard poll(&files, nfds_t(files.count), -1) > 0 else { continue }
            if files[1].revents != 0 { return }
            var expirations: UInt64 = 0
            // ECANCELED says that the clock was set; either way there is something to look at.
            _ = read(start.timer, &expirations, MemoryLayout<UInt64>.size)
            start.ring()
        }
    }
}
