import Telemetry

/// What a leak check has found, for people.
struct LeakPage {
    let lines: [String]

    init(_ findings: LeakFindings) {
        var lines = [
            "\(findings.function): \(findings.freshRuns) runs on fresh workers, \(findings.reusedRuns) on reused ones"
        ]
        if findings.lostWorkers > 0 {
            lines.append("  note    \(findings.lostWorkers) workers ended between the runs, so that others were fresh")
        }
        lines.append("  same    " + Self.summary(findings.same))
        if !findings.varying.isEmpty {
            lines.append("  varies  " + Self.summary(findings.varying) + ": between fresh workers, too; not compared")
        }
        for leak in findings.leaks {
            let reused = leak.reused.map { LeakParts.shown($0) }.joined(separator: " | ")
            lines.append("  LEAK    \(leak.part.printable())")
            lines.append("            fresh   \(LeakParts.shown(leak.fresh))")
            lines.append("            reused  \(reused)")
        }
        for (index, line) in findings.lines.enumerated() {
            lines.append((index == 0 ? "  output  " : "          ") + LeakParts.shown(line))
        }
        lines.append(Self.verdict(findings))
        self.lines = lines
    }

    private static func verdict(_ findings: LeakFindings) -> String {
        if let failure = findings.failure {
            return "nothing is shown, since \(LeakParts.shown(failure))"
        }
        switch findings.leaks.count {
        case 0 where findings.processPerCall: return "no leak: the contract gives each call a process of its own anyway"
        case 0: return "no leak: reused workers answer as fresh ones do"
        case 1: return "1 leak: reused workers answer otherwise than fresh ones do"
        case let count: return "\(count) leaks: reused workers answer otherwise than fresh ones do"
        }
    }

    private static func summary(_ parts: [String]) -> String {
        let shown = parts.prefix(8).map { $0.printable() }.joined(separator: ", ")
        if parts.isEmpty { return "nothing" }
        return parts.count > 8 ? "\(shown) and \(parts.count - 8) more" : shown
    }
}
