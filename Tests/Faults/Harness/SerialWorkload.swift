package import FaultChecking

/// Transactions with random reads and writes on few keys. The keys change over time, so that lists meet keys that are
/// just being made.
package struct SerialWorkload: Workload {
    package static let name = "serial"
    package static let clients = 6
    private static let keys = 5
    /// Clients move on to other keys after so many transactions.
    private static let stay = 100

    private struct Asked: Codable {
        var plan: TransactionPlan
        var notes: String?
        var fate: Fate
        var begin: Int
        var end: Int
    }

    private let place: Place
    private let asked: History<Asked>

    package init(_ place: Place) throws {
        self.place = place
        asked = try place.history("serial")
    }

    package var manifests: [String: String] {
        [
            "serial": """
            name: serial
            \(place.handler)
            triggers: [{ http: { path: "/serial/{operation}" } }]
            \(place.policies)
            """
        ]
    }

    package func step(_ client: Client, id: String, _ random: inout SeededGenerator) {
        let number = id.split(separator: "-").last.flatMap { Int($0) } ?? 0
        let plan = TransactionPlan(id: id, prefix: "key/\(number / Self.stay)/", keys: Self.keys, &random)
        let begin = Client.now
        let answer = client.request("POST", "/serial/transaction?id=\(id)", body: plan.request)
        asked.append(Asked(plan: plan, notes: answer.text, fate: answer.fate, begin: begin, end: Client.now))
    }

    package func audit(_ state: FinalState) throws -> Verdict {
        let notes = Dictionary(try state.entries("serial", "transaction/").map { ($0.key, $0) }) { first, _ in first }
        let transactions = asked.entries.map { asked in
            // What it read is what it noted when it committed; its client may never have heard of that.
            let note = notes[asked.plan.id]
            let text = asked.notes ?? note?.text
            return Transaction(
                asked.plan.id, text.map(asked.plan.done) ?? asked.plan.writes, asked.fate, begin: asked.begin,
                end: asked.end, version: note?.version)
        }
        let keys = try state.entries("serial", "key/").map { ("key/" + $0.key, $0.text) }
        return SerialOrder.check(transactions, state: Dictionary(keys) { first, _ in first })
    }
}
