import Events
import Foundation
import Hosting
import Manifests

/// What the answers of fresh and reused workers say about the function.
struct LeakFindings: Codable, Equatable {
    struct Leak: Codable, Equatable {
        var part: String
        /// What fresh workers answer; `null` in JSON where the part is not there.
        var fresh: String?
        /// What reused ones answer, in the order of the runs, each once.
        var reused: [String?]
    }

    var function: String
    /// How many runs there were on each.
    var freshRuns: Int
    var reusedRuns: Int
    /// Each call has a process of its own, as the function's contract has it: there is nothing to be reused.
    var processPerCall: Bool
    /// Workers that ended when they should have been reused.
    var lostWorkers: Int
    /// Parts that are the same in every run.
    var same: [String]
    /// Parts that differ between fresh workers, so that nothing can be said of them.
    var varying: [String]
    var leaks: [Leak]
    /// What keeps the runs from showing anything.
    var failure: String?
    /// The last lines that the function has logged or printed, where there is a failure.
    var lines: [String]

    init(_ manifest: Manifest, _ runs: LeakCheck.Runs) {
        let fresh = runs.fresh.map { LeakParts($0).values }
        let reused = runs.reused.map { LeakParts($0).values }
        function = manifest.name
        processPerCall = manifest.handler.contract.isPerCall
        (freshRuns, reusedRuns, lostWorkers) = (fresh.count, reused.count, runs.lost)
        (same, varying, leaks) = ([], [], [])
        for part in Set((fresh + reused).flatMap(\.keys)).sorted(by: Self.isBefore) {
            let expected = Self.distinct(fresh.map { $0[part] })
            let others = Self.distinct(reused.map { $0[part] }).filter { !expected.contains($0) }
            if expected.count > 1 {
                varying.append(part)
            } else if others.isEmpty {
                same.append(part)
            } else {
                leaks.append(Leak(part: part, fresh: expected.first ?? nil, reused: others))
            }
        }
        failure = Self.failure(runs)
        lines = failure == nil ? [] : runs.lines
    }

    private static func failure(_ runs: LeakCheck.Runs) -> String? {
        func reason(_ answer: LeakCheck.Answer) -> String { answer.reason ?? answer.outcome.rawValue }
        if let answer = runs.failedEarlier { return "an event of --before failed: " + reason(answer) }
        let all = runs.fresh + runs.reused
        if let answer = all.first, all.allSatisfy({ $0.outcome != .succeeded }) {
            return "no run succeeded: " + reason(answer)
        }
        return runs.reused.isEmpty ? "no worker was reused: each has ended after its run" : nil
    }

    /// Nothing was found that should not be, and something was looked at.
    var isClean: Bool { leaks.isEmpty && failure == nil }

    private static func distinct(_ values: [String?]) -> [String?] {
        values.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// `[2]` before `[10]`, line 2 before line 10.
    private static func isBefore(_ one: String, _ other: String) -> Bool {
        one.compare(other, options: .numeric) == .orderedAscending
    }
}
