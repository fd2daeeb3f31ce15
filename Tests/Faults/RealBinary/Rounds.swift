import FaultChecking
import FaultHarness
import Foundation
import Testing

/// Where the build has put its products: beside the test bundle, which is the first argument of its runner.
let build = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path

/// Runs a round in a folder that stays when `isRight` says no, so that somebody can look into it.
func report(
    of round: Round, unless isRight: (Round.Report) -> Bool = { $0.findings.isEmpty }
) async throws -> Round.Report {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-faults-\(UUID().uuidString)")
    let report = try await round.run(in: folder.resolvingSymlinksInPath().path)
    if isRight(report) {
        try FileManager.default.removeItem(at: folder)
    } else {
        Issue.record("seed \(round.seed), see \(report.folder): \(report.findings.prefix(20).map(\.description))")
    }
    return report
}
