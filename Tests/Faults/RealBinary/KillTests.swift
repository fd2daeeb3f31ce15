import FaultChecking
import FaultHarness
import Support
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

    @Test(
        "so it is when the host dies at any of its system calls, and when the power goes with it",
        arguments: [Disk.injected, .powerCuts])
    func atCalls(disk: Disk) async throws {
        var round = Round(
            seed: .random(in: 0..<1_000_000), duration: .seconds(15), workloads: Workloads.all, build: build)
        round.disk = disk
        round.nemesis = Nemesis(host: 300...2000, worker: 20...300)
        let report = try await report(of: round)
        #expect(report.kills.hosts > 0)
    }

    @Test("between two system calls, one after the other")
    func sweep() async throws {
        let sweep = Sweep(seed: .random(in: 0..<1_000_000), build: build)
        var sum = Verdict()
        // Every seventh; `make soak` takes all.
        for call in stride(from: Int.random(in: 1...7), to: 10_000, by: 7) {
            let report = try await withTemporaryFolder { folder in
                try await sweep.report(killingAt: call, call % 2 == 0 ? .injected : .powerCuts, in: folder)
            }
            guard let verdict = report.verdicts["sweep"] else { break }
            #expect(verdict.findings.isEmpty, "seed \(sweep.seed), call \(call)")
            sum += verdict
        }
        #expect(sum.acknowledged > 0 && sum.unknown > 0)
    }
}
