import Events

/// When something happens, as crontab(5) writes it: minute, hour, day of month, month, day of week, optionally after
/// a field of seconds.
///
/// Names (`JAN`, `MON`, any case), ranges, also such as `22-4` that go past the end, steps, lists, `?` for `*` in a day
/// field, `L`, `L-3`, `LW`, `15W`, `5L`, `5#3`, 7 for Sunday, and the macros `@yearly`, `@annually`, `@monthly`,
/// `@weekly`, `@daily`, `@midnight` and `@hourly`. When both day fields are restricted, that is, neither begins with
/// `*`, a day that matches either will do; otherwise it must match both.
package struct CronExpression: Sendable, Hashable {
    /// As written.
    package let text: String
    let seconds: UInt64
    let minutes: UInt64
    let hours: UInt64
    let months: UInt64
    let dayOfMonth: CronTerms
    let dayOfWeek: CronTerms
    /// Whether the minute or the hour begins with `*`: such a job follows elapsed time when the clocks change.
    package let followsElapsedTime: Bool
    /// Whether there is any day that it matches, within the 400 years after which the calendar repeats.
    package private(set) var fires = false

    /// - Throws: which field is wrong, what was found and what is allowed. An expression that never fires, such as
    ///   `0 0 31 2 *`, is no error here; see `fires`.
    package init(_ text: String) throws(ScheduleError) {
        let bytes = Array(try Self.expandingMacro(text).utf8)
        let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let ranges = bytes.split(whereSeparator: isBlank).map(\.indices)
        try Self.checkCount(ranges, of: bytes)
        var terms: [CronTerms] = []
        for (field, range) in zip(CronField.allCases.suffix(ranges.count), ranges) {
            terms.append(try CronFieldParser(field: field, bytes: bytes).parse(range))
        }
        seconds = terms.count == 6 ? terms.removeFirst().values : 1
        self.text = text
        minutes = terms[0].values
        hours = terms[1].values
        dayOfMonth = terms[2]
        months = terms[3].values
        dayOfWeek = terms[4]
        followsElapsedTime = terms[0].startsWithStar || terms[1].startsWithStar
        fires = nextDay(from: CivilDate(year: 2000, month: 1, day: 1)) != nil
    }

    private static let macros = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    private static func expandingMacro(_ text: String) throws(ScheduleError) -> String {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard let first = words.first else { return text }
        let word = first.lowercased()
        let offset = text.utf8.distance(from: text.startIndex, to: first.startIndex)
        if word.hasPrefix("tz=") || word.hasPrefix("cron_tz=") {
            throw ScheduleError("found '\(first)'; a time zone goes into the trigger's 'zone'", offset: offset)
        }
        guard word.hasPrefix("@") else { return text }
        if let expansion = macros[word], words.count == 1 { return expansion }
        if word == "@every" { throw ScheduleError("'@every' is written as the trigger's 'every'", offset: offset) }
        if macros[word] != nil { throw ScheduleError("'\(first)' must stand alone", offset: offset) }
        let known = macros.keys.sorted().joined(separator: ", ")
        throw ScheduleError("unknown macro '\(first)'; known are \(known)", offset: offset)
    }

    private static func checkCount(_ fields: [Range<Int>], of bytes: [UInt8]) throws(ScheduleError) {
        guard fields.count != 5, fields.count != 6 else { return }
        throw ScheduleError(
            "found \(fields.count) field\(fields.count == 1 ? "" : "s"); a cron expression has five (minute, hour, day "
                + "of month, month, day of week) or six (second first)",
            offset: fields.count > 6 ? fields[6].lowerBound : bytes.count)
    }
}
