package import Events

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
package struct RetryAfter {
    /// A server that asks for more is taken to ask for this.
    private static let longest = Duration.seconds(86_400)

    package let delay: Duration

    package init?(_ text: String, now: WallTime) {
        if let seconds = UInt32(text) {
            delay = min(.seconds(Int64(seconds)), Self.longest)
        } else if let date = Self.date(text) {
            delay = min(max(.zero, date.since(now)), Self.longest)
        } else {
            return nil
        }
    }

    /// IMF-fixdate, the one form that may be sent (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> WallTime? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let month = months.firstIndex(of: String(words[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return WallTime(rfc3339: "\(words[3])-\(number)-\(words[1])T\(words[4])Z")
    }
}
