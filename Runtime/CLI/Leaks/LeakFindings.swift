import Events
import Foundation
import Hosting

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
    /// Workers that ended when they should have been reused.
    var lostWorkers: Int
    /// Parts that are the same in every run.
    var same: [String]
    /// Parts that differ between fresh workers, so that nothing can be said of them.
    var varying: [String]
    var leaks: [Leak]
    /// Why, when no run has succeeded.
    var failure: String?

    init(_ function: String, _ runs: LeakCheck.Runs) {
        let fresh = runs.fresh.map { LeakParts($0).values }
        let reused = runs.reused.map { LeakParts($0).values }
        self.function = function
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
        let all = runs.fresh + runs.reused
        if all.allSatisfy({ $0.outcome != .succeeded }) { failure = all.first?.reason ?? "it failed" }
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
