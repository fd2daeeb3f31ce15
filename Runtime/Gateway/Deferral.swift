import Engine
package import Events

/// How a request that its client wants to be answered later is to be queued.
package struct Deferral: Sendable, Hashable {
    /// The client waits for its response so long, and wants `202` after that.
    package var wait: Duration?
    /// It runs not before this.
    package var due: WallTime
    /// That of RFC 9218 §4.1: 0 runs first.
    package var urgency: Int

    /// Nobody's connection is held for longer.
    static let longestWait = Duration.seconds(60)

    /// `nil` for a request that runs now.
    ///
    /// - Throws: a 400 for a delay that is none, or that comes without `Prefer: respond-async`.
    package init?(_ fields: RequestFields, now: WallTime) throws(Problem) {
        guard let terms = try fields.deferral?.terms.get() else { return nil }
        wait = terms.wait
        urgency = terms.urgency
        do throws(Postponement.Refusal) {
            due = try terms.postponement.due(now: now)
        } catch {
            throw .invalidDelay(error)
        }
    }
}

/// What the fields of a request say of when it is to run: taken apart once for all requests of a connection that say the
/// same, and one object, since it goes with each of them.
final class DeferralFields: Sendable {
    struct Terms {
        fileprivate let wait: Duration?
        fileprivate let postponement: Postponement
        fileprivate let urgency: Int
    }

    /// `nil` for a request that runs now.
    let terms: Result<Terms?, Problem>

    init(_ fields: RequestFields) {
        terms = Result { () throws(Problem) in try Self.terms(fields) }
    }

    private static func terms(_ fields: RequestFields) throws(Problem) -> Terms? {
        let preferences = Preferences(fields.preferences)
        guard preferences.respondAsync else {
            if fields.delays.isEmpty { return nil }
            throw .invalidDelay("A request that is to run later needs 'Prefer: respond-async'.")
        }
        return Terms(
            wait: preferences.wait.map { min($0, Deferral.longestWait) }, postponement: try postponement(fields.delays),
            urgency: urgency(fields.forwarded.first("Priority")))
    }

    private static func postponement(_ delays: [HeaderField]) throws(Problem) -> Postponement {
        guard let delay = delays.first else { return .none }
        // Also one that is there twice.
        guard delays.count == 1 else { throw .invalidDelay(.twice) }
        let isTime = delay.isNamed("Apus-At")
        do throws(Postponement.Refusal) {
            return try Postponement(after: isTime ? nil : delay.value, at: isTime ? delay.value : nil)
        } catch {
            throw .invalidDelay(error)
        }
    }

    /// The urgency of a `Priority` field (RFC 9218 §4.1); what is not understood is ignored (§4).
    private static func urgency(_ value: String?) -> Int {
        var urgency = QueuedRequest.usualUrgency
        guard let value else { return urgency }
        for member in value[...].split(outsideQuotes: ",") {
            let parts = member.split(separator: ";")[0].split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmed == "u", parts[1].utf8.count < 5 else { continue }
            if let number = Int(parts[1].trimmed), QueuedRequest.urgencies.contains(number) { urgency = number }
        }
        return urgency
    }
}

extension Problem {
    fileprivate static func invalidDelay(_ refusal: Postponement.Refusal) -> Problem {
        switch refusal {
        case .twice: invalidDelay("Send one of Apus-After and Apus-At, once.")
        case .noDuration: invalidDelay("Apus-After is a duration such as 200ms, 10s or 1h30m.")
        case .noTime: invalidDelay("Apus-At is a time with its offset, such as 2026-12-24T18:00:00+01:00 (RFC 3339).")
        case .tooLong: invalidDelay("A request waits at most 366 days.")
        }
    }

    fileprivate static func invalidDelay(_ detail: String) -> Problem {
        Problem(status: 400, code: "invalid-delay", title: "The request cannot be delayed like this", detail: detail)
    }
}
