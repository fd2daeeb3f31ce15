package import Events

/// What a clock shows: seconds ahead of UTC, whether that is daylight saving time, and the short name for it.
package struct ZoneOffset: Sendable, Hashable {
    /// East of Greenwich is positive.
    package var seconds: Int
    package var isDaylight: Bool
    /// Such as `CEST`, or `+1030` where nobody has a name for it.
    package var abbreviation: String

    package init(seconds: Int, isDaylight: Bool, abbreviation: String) {
        self.seconds = seconds
        self.isDaylight = isDaylight
        self.abbreviation = abbreviation
    }

    static let utc = ZoneOffset(seconds: 0, isDaylight: false, abbreviation: "UTC")
}

/// An instant at which the clocks of a zone change.
package struct ZoneTransition: Sendable, Hashable {
    package var time: WallTime
    package var before: ZoneOffset
    package var after: ZoneOffset
}

/// The clock of one IANA time zone, from the system's tzdata, so that Debian's updates of it apply.
package struct ZoneRules: Sendable, Hashable {
    /// IANA name, such as `Europe/Berlin`.
    package let name: String
    let initial: ZoneOffset
    /// From each second on, ascending, the offset beside it.
    let changes: [Change]
    /// What holds after the last of `changes`.
    let future: PosixZone?

    struct Change: Sendable, Hashable {
        /// Since 1970, POSIX time.
        var second: Int64
        var offset: ZoneOffset
    }

    /// A span of time in which the clock is not changed. Without `start` it has always been so, without `end` it will.
    struct Span {
        var start: Int64?
        var end: Int64?
        var offset: ZoneOffset
        /// What held before `start`.
        var previous: ZoneOffset
    }

    package static let utc = ZoneRules(name: "UTC", initial: .utc, changes: [], future: nil)

    /// What the clocks show at `time`.
    package func offset(at time: WallTime) -> ZoneOffset {
        span(at: time.milliseconds.flooredDivision(by: 1000)).offset
    }

    /// The first change of the clocks after `time`; changes of the name alone are left out.
    package func transition(after time: WallTime) -> ZoneTransition? {
        var span = span(at: time.milliseconds.flooredDivision(by: 1000))
        while let end = span.end {
            span = self.span(at: end)
            guard span.previous.seconds == span.offset.seconds else {
                return ZoneTransition(
                    time: WallTime(milliseconds: end * 1000), before: span.previous, after: span.offset)
            }
        }
        return nil
    }

    func span(at second: Int64) -> Span {
        if let future, future.hasDaylight, changes.last.map({ second >= $0.second }) ?? true {
            return futureSpan(at: second, by: future)
        }
        return Self.span(at: second, in: changes, before: initial, end: firstFutureChange?.second)
    }

    /// The span that contains `second`, given the changes around it.
    private static func span(at second: Int64, in changes: [Change], before initial: ZoneOffset, end: Int64?) -> Span {
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].second <= second { low = middle + 1 } else { high = middle }
        }
        let current = low > 0 ? changes[low - 1] : nil
        return Span(
            start: current?.second, end: low < changes.count ? changes[low].second : end,
            offset: current?.offset ?? initial, previous: low > 1 ? changes[low - 2].offset : initial)
    }

    /// The POSIX rule names two changes a year; those of the years around `second` are enough to find its span.
    private func futureSpan(at second: Int64, by future: PosixZone) -> Span {
        let year = CivilDate(daysSinceEpoch: Int(second.flooredDivision(by: 86_400))).year
        let known = changes.suffix(2)
        let from = changes.last?.second ?? .min
        let coming = (year - 1...year + 2).flatMap(future.changes(in:)).filter { $0.second > from }
        return Self.span(at: second, in: known + coming, before: initial, end: nil)
    }

    /// Where the rule takes over.
    private var firstFutureChange: Change? {
        guard let future, let last = changes.last else { return nil }
        let year = CivilDate(daysSinceEpoch: Int(last.second.flooredDivision(by: 86_400))).year
        return (year...year + 2).flatMap(future.changes(in:)).first { $0.second > last.second }
    }
}
