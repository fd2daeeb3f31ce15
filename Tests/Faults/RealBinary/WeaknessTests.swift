import FaultChecking
import FaultHarness
import Testing

/// The harness is worth something only if it fails when it should: hosts that break a promise on purpose are found out.
@Suite("A host that breaks a promise is found out within a minute")
struct WeaknessTests {
    @Test("when it commits without a look at what was read")
    func versions() async throws {
        let findings = try await findings(SerialWorkload.self) { $0.environment["APUS_WEAKEN"] = "versions" }
        #expect(findings.contains { $0.what.contains("no serial order") })
    }

    @Test("when whoever ever had a lease can settle the invocation")
    func epochs() async throws {
        let findings = try await findings(JobWorkload.self) { $0.environment["APUS_WEAKEN"] = "epochs" }
        #expect(findings.contains { $0.what.contains("cancelled") })
    }

    @Test("when it does not sync, and the power is cut")
    func syncs() async throws {
        let findings = try await findings(BankWorkload.self) { $0.disk = .lying }
        #expect(findings.contains { $0.kind == .lost || $0.what.contains("does not start") })
    }

    /// Of rounds of a few seconds until something is found, for a minute at most.
    private func findings(
        _ workload: any Workload.Type, _ weaken: (inout Round) -> Void
    ) async throws -> [Finding] {
        let end = ContinuousClock.now + .seconds(60)
        var seed = UInt64.random(in: 0..<1_000_000)
        repeat {
            var round = Round(seed: seed, duration: .seconds(6), workloads: [workload], build: build)
            round.nemesis = Nemesis(host: 500...3000, worker: nil)
            round.patience = .seconds(5)
            weaken(&round)
            let report = try await report(of: round) { _ in true }
            if !report.findings.isEmpty { return report.findings }
            seed += 1
        } while ContinuousClock.now < end
        Issue.record("nothing was found within a minute, with seeds up to \(seed - 1)")
        return []
    }
}
