import FaultChecking
import FaultHarness
import Testing

@Suite("Hosts and workers are killed at random moments")
struct KillTests {
    @Test("nothing accepted is lost, nothing is applied twice, and all that was read has a serial order")
    func everything() async throws {
        var round = Round(
            seed: .random(in: 0..<1_000_000), duration: .seconds(20), workloads: Workloads.all, build: build)
        round.nemesis = Nemesis(host: 300...3000, worker: 20...300)
        let report = try await report(of: round)
        #expect(report.kills.hosts > 0 && report.kills.workers > 0)
        for name in Workloads.names {
            #expect((report.verdicts[name]?.acknowledged ?? 0) > 0, "\(name) did nothing")
        }
    }
}
