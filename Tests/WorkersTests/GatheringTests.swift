import Foundation
import Manifests
import Support
import Testing
import Workers

/// Each call is as brief as it can be when nothing else runs: `make test` runs this suite by itself.
@Suite("Brief calls of a crowd", .timeLimit(.minutes(3)))
struct GatheringTests {
    /// With the `Hello` that `make test` has built: without optimization, no call is brief.
    @Test("run in as many workers as the processors can, and one")
    func brief() async throws {
        let hello = Handlers.products.deletingLastPathComponent().appendingPathComponent("release/Hello").path
        let manifest = Handlers.contractWorker {
            $0.handler.command = [hello]
            ($0.workers.max, $0.workers.retireInvocations, $0.limits.wait) = (6, 1_000_000, .seconds(60))
        }
        try await World.with(manifest, processors: 1) { world in
            var invocations: [Int32: Int] = [:]
            var shares: [Double] = []
            // A machine that is busy with other things may make them long now and then.
            while shares.count < 20, shares.last ?? 0 < 0.8 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<100 {
                        group.addTask {
                            for _ in 0..<50 { _ = try await world.request("/hello/Ada", method: "GET") }
                        }
                    }
                    try await group.waitForAll()
                }
                let workers = world.pool.snapshot.workers
                let counts = workers.map { $0.invocations - invocations[$0.pid, default: 0] }.sorted(by: >)
                #expect(counts.reduce(0, +) == 5000)
                shares.append(Double(counts[0] + counts[1]) / 5000)
                for worker in workers { invocations[worker.pid] = worker.invocations }
            }
            #expect(shares.last ?? 0 >= 0.8, "of all calls for two of six workers: \(shares)")
        }
    }
}
