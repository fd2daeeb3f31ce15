package import FaultChecking
import Foundation
import Support

/// Events that are put into the queue, some of which fail once or for good.
package struct JobWorkload: Workload {
    package static let name = "queue"
    package static let clients = 2

    private let place: Place
    private let jobs: History<Job>

    package init(_ place: Place) throws {
        self.place = place
        jobs = try place.history("queue")
    }

    package var manifests: [String: String] {
        [
            "job": """
            name: job
            \(place.handler)
            triggers: [{ topic: jobs }]
            \(place.policies)
            """
        ]
    }

    package func step(_ client: Client, id: String, _ random: inout SeededGenerator) {
        let kind = ["quick", "quick", "quick", "slow", "once", "never"][random.below(6)]
        let body =
            #"{"async":true,"event":{"id":"\#(id)","source":"/soak","subject":"\#(id)"},"data":"\#(kind) \#(id)"}"#
        var fate = client.admin("POST", "/v1/functions/job/invocations", body: body).fate
        if fate == .unknown, random.chance(50) {
            // The same event again: it is known, or taken now.
            fate = repeated(client, body)
        }
        jobs.append(Job(id, fate))
        // Enough to keep the queue busy; more would only make it long.
        usleep(5000)
    }

    private func repeated(_ client: Client, _ body: String) -> Fate {
        let answer = client.admin("POST", "/v1/functions/job/invocations", body: body)
        if case .response(let response) = answer, response.status == 409 { return .acknowledged }
        return answer.fate == .acknowledged ? .acknowledged : .unknown
    }

    package func audit(_ state: FinalState) throws -> Verdict {
        let effects = try state.numbers("job", "effect/")
        var ends: [String: [JobEnd]] = [:]
        for end in [JobEnd.dead, .done] {
            for invocation in try state.invocations(of: "job", in: end.rawValue) {
                if let id = invocation.subject { ends[id, default: []].append(end) }
            }
        }
        // The list ends with the newest: what is not in it any more shows by its effect that it is done.
        for (id, count) in effects where count > 0 && ends[id] == nil { ends[id] = [.done] }
        return JobAudit.check(jobs.entries, ends: ends, effects: effects)
    }
}
