/// The six fields of a cron expression in the order in which they are written; five-field expressions lack the first.
enum CronField: Int, CaseIterable {
    case second, minute, hour, dayOfMonth, month, dayOfWeek

    var name: String {
        switch self {
        case .second: "second"
        case .minute: "minute"
        case .hour: "hour"
        case .dayOfMonth: "day of month"
        case .month: "month"
        case .dayOfWeek: "day of week"
        }
    }

    /// crontab(5); both 0 and 7 are Sunday.
    var range: ClosedRange<Int> {
        switch self {
        case .second, .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: 0...7
        }
    }

    /// How many values there are, after which a range begins again.
    var cycle: Int { self == .dayOfWeek ? 7 : range.count }

    /// Names, uppercase, for the values from `firstNamed` on.
    var names: [String] {
        switch self {
        case .month: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        case .dayOfWeek: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
        default: []
        }
    }

    /// The allowed values, for an error message.
    var allowed: String {
        switch self {
        case .second, .minute: "0-59"
        case .hour: "0-23"
        case .dayOfMonth: "1-31, L, L-3, LW or 15W"
        case .month: "1-12 or JAN-DEC"
        case .dayOfWeek: "0-7 (0 and 7 are Sunday), SUN-SAT, 5L or 5#3"
        }
    }

    /// Whether `?` may stand for `*`, as in Quartz.
    var allowsQuestionMark: Bool { self == .dayOfMonth || self == .dayOfWeek }

    /// The bit of `value` in a set of this field.
    func bit(_ value: Int) -> UInt64 { 1 << UInt64(self == .dayOfWeek ? value % 7 : value) }

    /// Every value.
    var all: UInt64 { (0..<cycle).reduce(0) { $0 | bit(range.lowerBound + $1) } }
}

/// What one field asks for, as sets of bits. Only the two day fields use more than `values`.
struct CronTerms: Hashable, Sendable {
    /// Bit n: the value n.
    var values: UInt64 = 0
    /// Bit n: the nth day before the last of the month (`L` is bit 0, `L-3` bit 3).
    var fromEnd: UInt64 = 0
    /// Bit n: the weekday nearest to day n, within the month (`15W`).
    var nearest: UInt64 = 0
    /// Bit n: the weekday nearest to the nth day before the last (`LW` is bit 0).
    var nearestFromEnd: UInt64 = 0
    /// Bit n: the last n of the month, where n is a day of the week (`5L`).
    var lastOfMonth: UInt64 = 0
    /// Bit 7 (k - 1) + n: the kth n of the month, where n is a day of the week (`5#3`).
    var nth: UInt64 = 0
    /// Whether the field begins with `*` (or is `?`). crontab(5) calls such a day field unrestricted, and Debian's
    /// cron lets a job whose minute or hour begins so follow elapsed time when the clocks change.
    var startsWithStar = false
}
