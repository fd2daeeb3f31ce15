#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A point on the wall clock, in milliseconds since 1970-01-01T00:00:00Z (POSIX time, leap seconds not counted).
///
/// Wall time is for rows, events and people. Anything that measures how long something takes uses
/// `SteadyTime` or `ContinuousClock` instead; the two never share a type, because the wall clock may jump.
package struct WallTime: Sendable, Hashable, Comparable, Codable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// `CLOCK_REALTIME` now.
    package static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// `now()` as of the kernel's last tick: up to ten milliseconds behind, at a fifth of the cost.
    package static var coarse: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    package static func < (left: WallTime, right: WallTime) -> Bool { left.milliseconds < right.milliseconds }

    /// `self` moved by `duration`, of which less than a millisecond is left out.
    package func advanced(by duration: Duration) -> WallTime {
        WallTime(milliseconds: milliseconds + duration.milliseconds)
    }

    /// The time from `other` to `self`; negative when `other` is later.
    package func since(_ other: WallTime) -> Duration { .milliseconds(milliseconds - other.milliseconds) }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    package var milliseconds: Int64 {
        // 10¹⁵ is 2¹⁵ · 30,517,578,125: what is left to divide has 64 bits in times of up to three days, and 128 cost ten
        // times as much.
        let most = attoseconds &>> 15
        if most >= 0, most <= Int128(Int64.max) { return Int64(truncatingIfNeeded: most) / 30_517_578_125 }
        return components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// Whole nanoseconds, rounded towards zero.
    package var nanoseconds: Int64 {
        // As above: 10⁹ is 2⁹ · 1,953,125.
        let most = attoseconds &>> 9
        if most >= 0, most <= Int128(Int64.max) { return Int64(truncatingIfNeeded: most) / 1_953_125 }
        return components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}

extension WallTime: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-11-20T18:00:00.000Z`.
    package var description: String {
        String(unsafeUninitializedCapacity: Self.longest) { write(to: UnsafeMutableRawBufferPointer($0)) }
    }

    /// Bytes of `description` at most: the years of 64 bits have up to nine digits and a sign.
    package static let longest = 32

    /// Writes `description` to the beginning of `buffer`, which has room for `longest` bytes. Returns its length.
    package func write(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        precondition(buffer.count >= Self.longest)
        let days = milliseconds.flooredDivision(by: 86_400_000)
        let rest = Int(milliseconds - days * 86_400_000)
        let date = CivilDate(daysSinceEpoch: Int(days))
        let seconds = rest / 1000
        var count = 0
        /// `number` with so many digits, and what stands behind it.
        func add(_ number: Int, digits: Int, then end: Unicode.Scalar) {
            var (left, offset) = (number, count + digits)
            while offset > count {
                offset -= 1
                buffer[offset] = UInt8(ascii: "0") + UInt8(left % 10)
                left /= 10
            }
            buffer[count + digits] = UInt8(ascii: end)
            count += digits + 1
        }
        if (0...9999).contains(date.year) {
            add(date.year, digits: 4, then: "-")
        } else {
            let year = Array("\(date.year)-".utf8)
            buffer.copyBytes(from: year)
            count = year.count
        }
        add(date.month, digits: 2, then: "-")
        add(date.day, digits: 2, then: "T")
        add(seconds / 3600, digits: 2, then: ":")
        add(seconds / 60 % 60, digits: 2, then: ":")
        add(seconds % 60, digits: 2, then: ".")
        add(rest % 1000, digits: 3, then: "Z")
        return count
    }
}

/// A day in the proleptic Gregorian calendar. Months and days count from 1.
package struct CivilDate: Sendable, Hashable {
    package var year: Int
    package var month: Int
    package var day: Int

    package init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The date `days` after 1970-01-01, by the era arithmetic of Howard Hinnant's "chrono-compatible low-level
    /// date algorithms": years begin in March, so that the leap day is the last of its year.
    package init(daysSinceEpoch days: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01; the inverse of `init(daysSinceEpoch:)`.
    package var daysSinceEpoch: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension Int64 {
    /// Division that rounds towards minus infinity.
    package func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
