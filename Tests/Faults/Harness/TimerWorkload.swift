package import FaultChecking
import Foundation

/// Timers that are due every second, and make up for what passed while the host was down.
package final class TimerWorkload: Workload {
    package static let name = "timers"
    package static let clients = 0
    private static let timers = ["tick-a", "tick-b", "tick-c"]

    private let place: Place
    private let begin = Date()

    package init(_ place: Place) { self.place = place }

    package var manifests: [String: String] {
        let manifests = Self.timers.map { name in
            (
                name,
                """
                name: \(name)
                \(place.handler)
                triggers: [{ timer: { cron: "* * * * * *", missed: all, overlap: allow } }]
                \(place.policies)
                """
            )
        }
        return Dictionary(manifests) { first, _ in first }
    }

    package func step(_ client: Client, id: String, _ random: inout SeededGenerator) {}

    package func audit(_ state: FinalState) throws -> Verdict {
        var verdict = Verdict()
        let now = Int(Date().timeIntervalSince1970)
        for timer in Self.timers {
            let noted = try state.numbers(timer, "instant/").compactMap { due, count in
                (try? Date(due, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
                    .map { (Int($0.timeIntervalSince1970), count) }
            }
            // The first host needs a moment until it knows the timer, and the last instants may be under way.
            let first = max(Int(begin.timeIntervalSince1970) + 1, noted.map(\.0).min() ?? 0)
            let instants = Dictionary(noted) { $0 + $1 }
            guard first < now - 2 else { continue }
            verdict += InstantAudit.check(timer, instants, range: first...(now - 2))
        }
        return verdict
    }
}
