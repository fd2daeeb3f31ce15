package import FaultChecking
import Foundation
import Support

/// Requests that are queued, some of which fail once or for good; and clients that cancel some of them at any moment.
package struct JobWorkload: Workload {
    package static let name = "queue"
    package static let clients = 3

    private struct Asked: Codable {
        var job: Job
        /// Of the invocation, as the answer said.
        var location: String?
    }

    private let place: Place
    private let asked: History<Asked>

    package init(_ place: Place) throws {
        self.place = place
        asked = try place.history("queue")
    }

    package var manifests: [String: String] {
        [
            "job": """
            name: job
            \(place.handler)
            triggers: [{ http: { path: /job, idempotency: optional } }]
            \(place.policies)
            """
        ]
    }

    package func step(_ client: Client, id: String, _ random: inout SeededGenerator) {
        let kind = ["quick", "quick", "quick", "slow", "slow", "once", "never"][random.below(7)]
        var headers = [("Prefer", "respond-async"), ("Priority", "u=\(random.below(8))")]
        let isKeyed = random.chance(50)
        if isKeyed { headers.append(("Idempotency-Key", "\"\(id)\"")) }
        var location: String?
        func ask() -> Fate {
            let answer = client.request("POST", "/job", headers: headers, body: "\(kind) \(id)")
            if case .response(let response) = answer { location = location ?? response.headers["location"] }
            return answer.fate
        }
        var job = Job(id, isKeyed ? client.insist(ask) : ask())
        if let location, random.chance(40) {
            // Around the moment at which a quick one is committed, or while a slow one runs.
            usleep(UInt32(random.below(kind == "slow" ? 60_000 : 8000)))
            job.cancelled = client.request("DELETE", location).fate
        }
        asked.append(Asked(job: job, location: location))
        usleep(5000)
    }

    package func audit(_ state: FinalState) throws -> Verdict {
        let effects = try state.numbers("job", "effect/")
        var ends: [String: [JobEnd]] = [:]
        for asked in asked.entries {
            if let location = asked.location {
                ends[asked.job.id] = try state.end(at: location).map { [$0] }
            } else if asked.job.fate == .unknown, let effect = effects[asked.job.id], effect > 0 {
                // Nobody was told where to ask.
                ends[asked.job.id] = [.done]
            }
        }
        return JobAudit.check(asked.entries.map(\.job), ends: ends, effects: effects)
    }
}
