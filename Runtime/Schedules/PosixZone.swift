import Events

/// The rule at the end of a TZif file: what POSIX calls the `TZ` environment variable, with the two extensions of
/// RFC 9636 §3.3.1 (hours of a change from -167 to 167, daylight saving time all year).
struct PosixZone: Sendable, Hashable {
    let standard: ZoneOffset
    let daylight: Daylight?

    struct Daylight: Sendable, Hashable {
        var offset: ZoneOffset
        var start: Rule
        var end: Rule
    }

    /// A day of each year, and the second after its midnight, by the clock that is changed then.
    struct Rule: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// `Mm.w.d`: the wth (5: last) d (0: Sunday) of month m.
            case weekday(month: Int, week: Int, day: Int)
            /// `Jn`: 1 to 365; the 29th of February does not count.
            case julian(Int)
            /// `n`: 0 to 365; it does.
            case zeroBased(Int)
        }

        var day: Day
        var second: Int

        /// In seconds since 1970 on the clock of the zone.
        func local(in year: Int) -> Int64 { Int64(daysSinceEpoch(in: year)) * 86_400 + Int64(second) }

        private func daysSinceEpoch(in year: Int) -> Int {
            let newYear = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
            switch day {
            case .zeroBased(let day): return newYear + day
            case .julian(let day):
                let march = CivilDate(year: year, month: 3, day: 1).daysSinceEpoch
                return day < 60 ? newYear + day - 1 : march + day - 60
            case .weekday(let month, let week, let day):
                let first = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
                // 1970-01-01 was a Thursday.
                let found = first + ((day - (first + 4)) % 7 + 7) % 7 + 7 * (week - 1)
                return CivilDate(daysSinceEpoch: found).month == month ? found : found - 7
            }
        }
    }

    var hasDaylight: Bool { daylight != nil }

    /// The changes whose rule names a day of `year`, in the order of time.
    func changes(in year: Int) -> [ZoneRules.Change] {
        guard let daylight else { return [] }
        let start = ZoneRules.Change(
            second: daylight.start.local(in: year) - Int64(standard.seconds), offset: daylight.offset)
        let end = ZoneRules.Change(
            second: daylight.end.local(in: year) - Int64(daylight.offset.seconds), offset: standard)
        return start.second <= end.second ? [start, end] : [end, start]
    }
}

extension PosixZone {
    /// Reads `CET-1CEST,M3.5.0,M10.5.0/3`; `nil` for anything that is not of that form.
    init?(_ text: some StringProtocol) {
        var reader = PosixReader(rest: Substring(text).utf8[...])
        guard let name = reader.name(), let west = reader.offset() else { return nil }
        standard = ZoneOffset(seconds: -west, isDaylight: false, abbreviation: name)
        if reader.rest.isEmpty {
            daylight = nil
            return
        }
        guard let daylightName = reader.name() else { return nil }
        let daylightWest = reader.rest.first == UInt8(ascii: ",") ? west - 3600 : reader.offset()
        guard let daylightWest, let start = reader.rule(), let end = reader.rule(), reader.rest.isEmpty else {
            return nil
        }
        let offset = ZoneOffset(seconds: -daylightWest, isDaylight: true, abbreviation: daylightName)
        daylight = Daylight(offset: offset, start: start, end: end)
    }
}

private struct PosixReader {
    var rest: Substring.UTF8View.SubSequence

    mutating func skip(_ character: Character) -> Bool {
        guard rest.first == character.asciiValue else { return false }
        rest.removeFirst()
        return true
    }

    /// `CET` or, with digits and signs, `<+1030>`.
    mutating func name() -> String? {
        let isQuoted = skip("<")
        let name = rest.prefix { byte in
            if isQuoted { return byte != UInt8(ascii: ">") }
            return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        rest = rest[name.endIndex...]
        if isQuoted, !skip(">") { return nil }
        return name.count >= 3 ? String(name) : nil
    }

    mutating func number(through limit: Int) -> Int? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        rest = rest[digits.endIndex...]
        guard let value = Int(String(digits) ?? ""), value <= limit else { return nil }
        return value
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func offset() -> Int? {
        let sign = skip("-") ? -1 : 1
        if sign == 1 { _ = skip("+") }
        guard let hours = number(through: 167) else { return nil }
        var seconds = hours * 3600
        for unit in [60, 1] where skip(":") {
            guard let value = number(through: 59) else { return nil }
            seconds += value * unit
        }
        return sign * seconds
    }

    /// `,date[/time]`; without a time it is two o'clock.
    mutating func rule() -> PosixZone.Rule? {
        guard skip(","), let day = day() else { return nil }
        guard skip("/") else { return PosixZone.Rule(day: day, second: 7200) }
        return offset().map { PosixZone.Rule(day: day, second: $0) }
    }

    private mutating func day() -> PosixZone.Rule.Day? {
        if skip("J") { return number(through: 365).map { .julian($0) } }
        guard skip("M") else { return number(through: 365).map { .zeroBased($0) } }
        guard let month = number(through: 12), skip("."), let week = number(through: 5), skip("."),
            let day = number(through: 6), month > 0, week > 0
        else { return nil }
        return .weekday(month: month, week: week, day: day)
    }
}
