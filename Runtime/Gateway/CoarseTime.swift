import Glibc
import NIOCore

extension NIODeadline {
    /// `now()` as of the kernel's last tick: up to ten milliseconds behind, at a fifth of the cost. What clients are given
    /// time for is counted in seconds.
    static var coarse: NIODeadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return .uptimeNanoseconds(UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}
