package import Events

/// The `Date` and `Server` lines, made once a second.
package struct DateLine: Sendable {
    private var second: Int64 = .min
    private var bytes: [UInt8] = []

    package init() {}

    package mutating func at(_ time: WallTime) -> [UInt8] {
        let now = time.milliseconds.flooredDivision(by: 1000)
        if now != second {
            second = now
            bytes = Array("Date: \(Self.text(now))\r\nServer: apus\r\n".utf8)
        }
        return bytes
    }

    /// IMF-fixdate (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(_ second: Int64) -> String {
        let days = second.flooredDivision(by: 86_400)
        let rest = Int(second - days * 86_400)
        let date = CivilDate(daysSinceEpoch: Int(days))
        // 1970-01-01 was a Thursday.
        let weekday = weekdays[Int((days + 4) % 7 + 7) % 7]
        let day = "\(pad(date.day)) \(months[date.month - 1]) \(date.year)"
        return "\(weekday), \(day) \(pad(rest / 3600)):\(pad(rest / 60 % 60)):\(pad(rest % 60)) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func pad(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
