import Glibc

/// The clock that only goes forward (`CLOCK_MONOTONIC`).
package enum SteadyClock {
    /// Nanoseconds since some moment before the system's start.
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
