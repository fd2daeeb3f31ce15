/// Reads one field of a cron expression.
struct CronFieldParser {
    let field: CronField
    /// The whole expression; terms are ranges of it, so that errors know where they are.
    let bytes: [UInt8]

    func parse(_ range: Range<Int>) throws(ScheduleError) -> CronTerms {
        var terms = CronTerms()
        terms.startsWithStar = bytes[range.lowerBound] == Character("*").asciiValue || text(range) == "?"
        for term in split(range, at: ",") {
            guard !term.isEmpty else { throw error("an empty term in the list '\(text(range))'", term) }
            try parse(term: term, into: &terms)
        }
        return terms
    }

    private func parse(term: Range<Int>, into terms: inout CronTerms) throws(ScheduleError) {
        if field == .dayOfMonth, try parseDayOfMonth(term, into: &terms) { return }
        if field == .dayOfWeek, try parseDayOfWeek(term, into: &terms) { return }
        let parts = split(term, at: "/")
        guard parts.count <= 2 else { throw error("more than one '/' in '\(text(term))'", parts[2]) }
        let step = parts.count == 2 ? try parseStep(parts[1]) : nil
        let (first, count) = try parseSpan(parts[0], isStepped: step != nil)
        let lowest = field.range.lowerBound
        for distance in stride(from: 0, to: count, by: step ?? 1) {
            terms.values |= field.bit((first - lowest + distance) % field.cycle + lowest)
        }
    }

    /// The first value of `*`, `5`, `5-10` or `22-4`, and how many values there are up to its last.
    ///
    /// A range whose end is before its start goes on past the end of the field, so that `22-4` is a night and
    /// `FRI-MON` a long weekend. A single value with a step reaches to the end of the field.
    private func parseSpan(_ range: Range<Int>, isStepped: Bool) throws(ScheduleError) -> (first: Int, count: Int) {
        let lowest = field.range.lowerBound
        switch text(range) {
        case "*": return (lowest, field.cycle)
        case "?" where field.allowsQuestionMark && !isStepped: return (lowest, field.cycle)
        default: break
        }
        let ends = split(range, at: "-")
        guard ends.count <= 2 else { throw error("more than one '-' in '\(text(range))'", ends[2]) }
        let first = try parseValue(ends[0])
        guard ends.count == 2 else { return (first, isStepped ? field.range.upperBound - first + 1 : 1) }
        let last = try parseValue(ends[1])
        if last >= first { return (first, last - first + 1) }
        return (first, (last - first % field.cycle + field.cycle) % field.cycle + 1)
    }

    private func parseStep(_ range: Range<Int>) throws(ScheduleError) -> Int {
        guard let step = number(range) else {
            throw error("the step '\(text(range))' is not a number; allowed are 1-\(field.cycle)", range)
        }
        guard (1...field.cycle).contains(step) else {
            throw error("the step \(step) is out of range; allowed are 1-\(field.cycle)", range)
        }
        return step
    }

    private func parseValue(_ range: Range<Int>) throws(ScheduleError) -> Int {
        if let named = field.names.firstIndex(of: text(range).uppercased()) { return named + field.range.lowerBound }
        guard let value = number(range) else {
            let found = range.isEmpty ? "nothing" : "'\(text(range))'"
            throw error("found \(found) where a value belongs; allowed are \(field.allowed)", range)
        }
        guard field.range.contains(value) else {
            throw error("\(value) is out of range; allowed are \(field.allowed)", range)
        }
        return value
    }

    // MARK: Days

    /// `L`, `L-3`, `LW`, `L-3W` and `15W`; `false` for anything else.
    private func parseDayOfMonth(_ term: Range<Int>, into terms: inout CronTerms) throws(ScheduleError) -> Bool {
        var rest = term
        let isWeekday = rest.count > 1 && letter(bytes[rest.upperBound - 1]) == "W"
        if isWeekday { rest = rest.dropLast() }
        guard let first = rest.first, letter(bytes[first]) == "L" else {
            guard isWeekday else { return false }
            terms.nearest |= field.bit(try parseValue(rest))
            return true
        }
        rest = rest.dropFirst()
        var distance = 0
        if let dash = rest.first {
            let digits = rest.dropFirst()
            guard bytes[dash] == Character("-").asciiValue, let value = number(digits), (1...30).contains(value) else {
                throw error("found '\(text(term))'; after 'L' only '-1' to '-30' and 'W' are allowed", rest)
            }
            distance = value
        }
        if isWeekday { terms.nearestFromEnd |= 1 << UInt64(distance) } else { terms.fromEnd |= 1 << UInt64(distance) }
        return true
    }

    /// `5L` and `5#3`; `false` for anything else.
    private func parseDayOfWeek(_ term: Range<Int>, into terms: inout CronTerms) throws(ScheduleError) -> Bool {
        let parts = split(term, at: "#")
        if parts.count == 2 {
            let day = try parseValue(parts[0]) % 7
            guard let nth = number(parts[1]), (1...5).contains(nth) else {
                throw error("found '\(text(parts[1]))' after '#'; allowed are 1-5", parts[1])
            }
            terms.nth |= 1 << UInt64(7 * (nth - 1) + day)
            return true
        }
        guard let last = term.last, letter(bytes[last]) == "L", parts.count == 1 else { return false }
        let day = term.dropLast()
        guard !day.isEmpty else {
            throw error("'L' needs a day before it, such as '5L' for the last Friday of the month", term)
        }
        terms.lastOfMonth |= field.bit(try parseValue(day))
        return true
    }

    // MARK: Text

    private func error(_ message: String, _ range: Range<Int>) -> ScheduleError {
        ScheduleError("\(field.name): \(message)", offset: range.lowerBound)
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func letter(_ byte: UInt8) -> String { String(decoding: [byte], as: UTF8.self).uppercased() }

    /// Up to nine decimal digits, so that no sum overflows; `nil` for anything else.
    private func number(_ range: Range<Int>) -> Int? {
        guard (1...9).contains(range.count) else { return nil }
        var value = 0
        for byte in bytes[range] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    private func split(_ range: Range<Int>, at separator: Character) -> [Range<Int>] {
        bytes[range].split(separator: separator.asciiValue ?? 0, omittingEmptySubsequences: false).map(\.indices)
    }
}
