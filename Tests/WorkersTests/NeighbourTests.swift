import Events
import Manifests
import Support
import Testing
import Workers

@Suite("Calls that share a worker", .serialized, .timeLimit(.minutes(2)))
struct NeighbourTests {
    private static let shared = Handlers.contractWorker {
        $0.workers.max = 1
        $0.workers.concurrency = 2
    }

    @Test("keep their time when one that ran past its limit does not end")
    func stubborn() async throws {
        try await World.with(Self.shared) { world in
            async let other = world.request("/sleep", query: "ms=3000")
            #expect(await eventually { world.pool.snapshot.running == 1 })
            let failure = try await world.failure(of: "/stubborn", time: .milliseconds(100))
            #expect(failure.code == .timedOut)
            let answer = try await other.text()
            #expect(answer == "done\n")
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("keep their time when one that was cancelled does not end")
    func cancelled() async throws {
        try await World.with(Self.shared) { world in
            async let other = world.request("/sleep", query: "ms=4000")
            #expect(await eventually { world.pool.snapshot.running == 1 })
            let caller = Task { try await world.request("/stubborn") }
            #expect(await eventually { world.lines.first(.stderr, containing: "stubborn") != nil })
            caller.cancel()
            let answer = try await other.text()
            #expect(answer == "done\n")
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("keep their worker when one that ran past its limit ends by itself")
    func cooperative() async throws {
        try await World.with(Self.shared) { world in
            let pid = try await world.request("/pid").text()
            async let other = world.request("/sleep", query: "ms=3000")
            #expect(await eventually { world.pool.snapshot.running == 1 })
            let failure = try await world.failure(of: "/sleep", query: "ms=60000", time: .milliseconds(100))
            #expect(failure.code == .timedOut)
            let answer = try await other.text()
            #expect(answer == "done\n")
            #expect(try await world.request("/pid").text() == pid)
        }
    }

    @Test("end with their worker when none of them is in time")
    func allLate() async throws {
        try await World.with(Self.shared) { world in
            async let first = world.failure(of: "/stubborn", time: .milliseconds(300))
            async let second = world.failure(of: "/stubborn", time: .milliseconds(300))
            let codes = try await [first.code, second.code]
            #expect(codes == [.timedOut, .timedOut])
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }
}
