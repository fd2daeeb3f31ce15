package import Events
import Manifests

/// How a request that its client wants to be answered later is to be queued.
package struct Deferral: Sendable, Hashable {
    /// The client waits for its response so long, and wants `202` after that.
    package var wait: Duration?
    /// It runs not before this.
    package var due: WallTime
    /// That of RFC 9218 §4.1: 0 runs first.
    package var urgency: Int

    /// A year: what is due later than that is a mistake.
    static let longest = Duration.seconds(366 * 86_400)
    /// Nobody's connection is held for longer.
    static let longestWait = Duration.seconds(60)

    /// `nil` for a request that runs now.
    ///
    /// - Throws: a 400 for a delay that is none, or that comes without `Prefer: respond-async`.
    package init?(_ fields: RequestFields, now: WallTime) throws(Problem) {
        let preferences = Preferences(fields.preferences)
        guard preferences.respondAsync else {
            if fields.delays.isEmpty { return nil }
            throw .invalidDelay("A request that is to run later needs 'Prefer: respond-async'.")
        }
        wait = preferences.wait.map { min($0, Self.longestWait) }
        due = try Self.due(fields.delays, now: now)
        urgency = Self.urgency(fields.forwarded.first("Priority"))
    }

    private static func due(_ delays: [HeaderField], now: WallTime) throws(Problem) -> WallTime {
        guard let delay = delays.first else { return now }
        guard delays.count == 1 else { throw .invalidDelay("Send one of Apus-After and Apus-At, once.") }
        let due: WallTime
        if delay.isNamed("Apus-At") {
            guard let time = WallTime(rfc3339: delay.value) else {
                throw .invalidDelay("Apus-At is a time with its offset, such as 2026-12-24T18:00:00+01:00 (RFC 3339).")
            }
            due = time
        } else {
            guard let after = Quantity.duration(delay.value) else {
                throw .invalidDelay("Apus-After is a duration such as 200ms, 10s or 1h30m.")
            }
            // What is too long for the clock is too long for us.
            due = after > longest ? WallTime(milliseconds: .max) : now.advanced(by: after)
        }
        guard due <= now.advanced(by: longest) else { throw .invalidDelay("A request waits at most 366 days.") }
        return due
    }

    /// The urgency of a `Priority` field (RFC 9218 §4.1), 3 by default; what is not understood is ignored (§4).
    private static func urgency(_ value: String?) -> Int {
        var urgency = 3
        guard let value else { return urgency }
        for member in value[...].split(outsideQuotes: ",") {
            let parts = member.split(separator: ";")[0].split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmed == "u", parts[1].utf8.count < 5 else { continue }
            if let number = Int(parts[1].trimmed), (0...7).contains(number) { urgency = number }
        }
        return urgency
    }
}

extension Problem {
    fileprivate static func invalidDelay(_ detail: String) -> Problem {
        Problem(status: 400, code: "invalid-delay", title: "The request cannot be delayed like this", detail: detail)
    }
}
