import Engine
import Events
import Manifests
import NIOCore
import Storage
import Support
import Testing
import Workers

@Suite("Invocations of requests")
struct InvocationEngineTests {
    @Test("effects are committed before the answer is given")
    func commits() async throws {
        try await World.with(.contractWorker()) { world async throws in
            _ = try await world.request("set", query: "key=a&value=1")
            #expect(try await world.text("a") == "1")
            #expect(world.function.statistics.outcomes == ["succeeded": 1])
        }
    }

    @Test("a handler that fails leaves no effects")
    func failure() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let problem = await world.problem("set-and-fail", query: "key=a&value=1")
            #expect(problem?.status == 500 && problem?.code == "handler-failed")
            #expect(try await world.text("a") == nil)
        }
    }

    @Test("a conflict re-runs the handler")
    func reruns() async throws {
        try await World.with(.contractWorker()) { world async throws in
            // Whoever loses does so to one that has then ended, so that nobody runs more than five times.
            try await withThrowingTaskGroup { group in
                for _ in 0..<5 { group.addTask { _ = try await world.request("add", query: "key=n&ms=20") } }
                try await group.waitForAll()
            }
            #expect(try await world.text("n") == "5")
        }
    }

    @Test("one that conflicts on every run ends as a 409")
    func exhausted() async throws {
        try await World.with(.contractWorker { $0.workers.max = 1 }) { world async throws in
            let problem = await world.disturbing("n") { await world.problem("add", query: "key=n&ms=100") }
            #expect(problem?.status == 409 && problem?.code == "conflicted")
            #expect(world.function.pool.snapshot.workers.first?.invocations == 6)
            #expect(world.function.statistics.outcomes == ["conflicted": 1])
        }
    }

    @Test("a request whose body is a stream is not run twice")
    func streamed() async throws {
        try await World.with(.contractWorker { $0.workers.max = 1 }) { world async throws in
            let stream = BodyStream()
            stream.write(ByteBuffer(string: "x"))
            stream.finish()
            let problem = await world.disturbing("n") {
                await world.problem("add", query: "key=n&ms=100", body: .stream(stream))
            }
            #expect(problem?.code == "conflicted")
            #expect(world.function.pool.snapshot.workers.first?.invocations == 1)
        }
    }

    @Test("a worker is free again when the effects of its streamed answer cannot be stored")
    func uncommitted() async throws {
        let manifest = Manifest.contractWorker {
            $0.workers.max = 1
            // It must not be the time limit that frees it.
            $0.limits.time = .seconds(3600)
        }
        try await World.with(manifest) { world async throws in
            try world.store.close()
            let problem = await world.problem("set-and-stream")
            #expect(problem?.code == "storage-unavailable")
            #expect(await eventually { world.function.pool.snapshot.running == 0 })
            _ = try await world.request("echo")
        }
    }

    @Test("a function that is gone is a 503")
    func gone() async throws {
        try await World.with(.contractWorker()) { world async throws in
            world.engine.replace(functions: [])
            #expect(await world.problem("echo")?.code == "no-function")
        }
    }
}
