import FaultChecking

/// All workloads, by name.
package enum Workloads {
    package static let all: [any Workload.Type] = [
        BankWorkload.self, SerialWorkload.self, JobWorkload.self, TimerWorkload.self, FileWorkload.self,
    ]

    package static var names: [String] { all.map { $0.name } }
}

/// What all rounds together came to.
package struct Summary: Sendable {
    private var kills = Kills()
    private var verdicts: [String: Verdict] = [:]

    package init() {}

    package var isClean: Bool { verdicts.values.allSatisfy(\.findings.isEmpty) }

    package mutating func add(_ report: Round.Report) {
        kills += report.kills
        for (name, verdict) in report.verdicts { verdicts[name, default: Verdict()] += verdict }
    }

    /// So far, in one line.
    package var line: String {
        let sum = total
        return """
            \(kills.hosts) kills of hosts, \(kills.workers) of workers; \(sum.acknowledged) acknowledged, \(sum.unknown) \
            unknown, \(sum.count(.lost)) lost, \(sum.count(.doubled)) doubled, \(sum.count(.violation)) violations
            """
    }

    package var table: String {
        let rows = verdicts.sorted { $0.key < $1.key }.map { Self.row($0.key, Self.cells($0.value)) }
        let heads = ["acknowledged", "refused", "unknown", "lost", "doubled", "violations"]
        return """

            kills of the host: \(kills.hosts), of workers: \(kills.workers)

            \(Self.row("", heads))
            \(rows.joined(separator: "\n"))
            \(Self.row("all", Self.cells(total)))
            """
    }

    private var total: Verdict { verdicts.values.reduce(into: Verdict()) { $0 += $1 } }

    private static func cells(_ verdict: Verdict) -> [String] {
        [
            verdict.acknowledged, verdict.refused, verdict.unknown, verdict.count(.lost), verdict.count(.doubled),
            verdict.count(.violation),
        ].map(String.init)
    }

    private static func row(_ head: String, _ cells: [String]) -> String {
        let padding = { (text: String, width: Int) in String(repeating: " ", count: max(0, width - text.count)) }
        return head + padding(head, 8) + cells.map { padding($0, 14) + $0 }.joined()
    }
}
