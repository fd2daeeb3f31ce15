#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A point on the clock that only goes forward (`CLOCK_MONOTONIC`), for measuring how long something takes.
///
/// What stands in records that change with every request uses it instead of `ContinuousClock.Instant`, whose size the
/// compiler may not know: a dictionary of such records allocates at each change.
package struct SteadyTime: Sendable, Hashable, Comparable {
    /// Since some moment before the system's start.
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static var now: SteadyTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return SteadyTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package static func < (left: SteadyTime, right: SteadyTime) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (time: SteadyTime, duration: Duration) -> SteadyTime {
        SteadyTime(nanoseconds: time.nanoseconds + duration.nanoseconds)
    }

    package static func += (time: inout SteadyTime, duration: Duration) { time = time + duration }

    package static func - (left: SteadyTime, right: SteadyTime) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
}
