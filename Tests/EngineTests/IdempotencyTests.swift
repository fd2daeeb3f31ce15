import Engine
import Events
import Manifests
import NIOCore
import Storage
import Support
import Testing
import Workers

@Suite("Requests with an idempotency key")
struct IdempotencyTests {
    private static func request(
        _ world: World, _ operation: String, query: String = "", key: String = "k", keep: Duration = .seconds(3600),
        body: String = "", id: InvocationID = InvocationID()
    ) async throws(Problem) -> Reply {
        let head = RequestHead(
            method: "POST", path: "/\(operation)", query: query, idempotency: IdempotencyKey(key, keep: keep))
        return try await world.engine.respond(
            to: head, body: .bytes(ByteBuffer(string: body)), function: world.name, id: id, on: World.lanes[0])
    }

    private static func problem(
        _ world: World, _ operation: String, query: String = "", key: String = "k", body: String = ""
    ) async -> Problem? {
        do throws(Problem) {
            _ = try await request(world, operation, query: query, key: key, body: body)
            return nil
        } catch {
            return error
        }
    }

    private static func text(_ reply: Reply) -> String {
        guard case .bytes(let bytes) = reply.body else { return "a stream" }
        return String(buffer: bytes)
    }

    private static func isRepeat(_ reply: Reply) -> Bool { reply.head.headers.first("Idempotency-Replayed") == "true" }

    @Test("a repeat gets the answer of the first one, and names its invocation")
    func repeats() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let id = InvocationID()
            let first = try await Self.request(world, "increment", id: id)
            let second = try await Self.request(world, "increment")
            #expect(Self.text(first) == "1\n" && !Self.isRepeat(first) && first.invocation == nil)
            #expect(Self.text(second) == "1\n" && Self.isRepeat(second) && second.invocation == id)
            #expect(second.head.status == 200 && second.head.headers.first("Content-Type") != nil)
            #expect(try await world.text("key") == "1")
            #expect(world.function.statistics.outcomes == ["succeeded": 1])
        }
    }

    @Test("an answer without effects is kept as well")
    func noEffects() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let first = try await Self.request(world, "remember")
            let second = try await Self.request(world, "remember")
            #expect(Self.text(first) == Self.text(second) && Self.isRepeat(second))
        }
    }

    @Test("another key is another request")
    func otherKey() async throws {
        try await World.with(.contractWorker()) { world async throws in
            _ = try await Self.request(world, "increment", key: "a")
            _ = try await Self.request(world, "increment", key: "b")
            #expect(try await world.text("key") == "2")
        }
    }

    @Test("the key of another request is a 422")
    func reused() async throws {
        try await World.with(.contractWorker()) { world async throws in
            _ = try await Self.request(world, "echo", body: "a")
            let problem = await Self.problem(world, "echo", body: "b")
            #expect(problem?.status == 422 && problem?.code == "idempotency-key-reused")
        }
    }

    @Test("a hundred repeats at once apply once, and all get the answer")
    func concurrent() async throws {
        try await World.with(.contractWorker { $0.workers.concurrency = 100 }) { world async throws in
            let answers = try await withThrowingTaskGroup { group in
                for _ in 0..<100 {
                    group.addTask { Self.text(try await Self.request(world, "add", query: "key=n&ms=50")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == [String](repeating: "1\n", count: 100))
            #expect(try await world.text("n") == "1")
            #expect(world.function.statistics.outcomes == ["succeeded": 1])
        }
    }

    @Test("the key of another request that runs is a 422 at once")
    func reusedWhileRunning() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let first = Task { await Self.problem(world, "sleep", query: "ms=60000") }
            try await world.wait { world.function.pool.snapshot.running == 1 }
            #expect(await Self.problem(world, "echo")?.code == "idempotency-key-reused")
            first.cancel()
            _ = await first.value
        }
    }

    @Test("a repeat waits no longer than limits.wait for the first, then it is a 409 with Retry-After")
    func late() async throws {
        let manifest = Manifest.contractWorker {
            $0.limits.wait = .milliseconds(1)
            // The first one must not end by itself, however slow the machine.
            $0.limits.time = .seconds(600)
        }
        try await World.with(manifest) { world async throws in
            // A start may take longer than that; the worker is there when one has succeeded.
            try await world.wait { await world.problem("echo") == nil }
            // It is answered before it counts as ended.
            try await world.wait { world.function.pool.snapshot.running == 0 }
            let first = Task { await Self.problem(world, "sleep", query: "ms=600000") }
            try await world.wait { world.function.pool.snapshot.running == 1 }
            let problem = await Self.problem(world, "sleep", query: "ms=600000")
            #expect(problem?.status == 409 && problem?.code == "idempotency-key-running" && problem?.retryAfter == 1)
            first.cancel()
            #expect(await first.value?.code == "cancelled")
        }
    }

    @Test("when the caller of the first one goes away, the repeat that waits runs in its place")
    func takesOver() async throws {
        try await World.with(.contractWorker { $0.workers.max = 1 }) { world async throws in
            let first = Task { await Self.problem(world, "add", query: "key=n&ms=4000") }
            try await world.wait { world.function.pool.snapshot.running == 1 }
            async let second = Self.request(world, "add", query: "key=n&ms=4000")
            first.cancel()
            #expect(await first.value?.code == "cancelled")
            #expect(Self.text(try await second) == "1\n")
            #expect(try await world.text("n") == "1")
        }
    }

    @Test("what failed is not kept: a repeat runs again")
    func failure() async throws {
        try await World.with(.contractWorker()) { world async throws in
            #expect(await Self.problem(world, "set-and-fail")?.code == "handler-failed")
            #expect(await Self.problem(world, "set-and-fail")?.code == "handler-failed")
            #expect(await Self.problem(world, "crash", key: "c")?.code == "worker-died")
            let kept = try await world.store.idempotentResponse(function: world.name, key: "k", now: .now())
            #expect(kept == nil)
            #expect(world.function.statistics.outcomes == ["failed": 3])
        }
    }

    @Test("what the handler answers on purpose is kept, whatever its status")
    func statuses() async throws {
        try await World.with(.contractWorker()) { world async throws in
            #expect(try await Self.request(world, "no-such-operation").head.status == 404)
            let second = try await Self.request(world, "no-such-operation")
            #expect(second.head.status == 404 && Self.isRepeat(second))
        }
    }

    @Test("a 5xx of an HTTP server is a failure: it is passed on, and not kept")
    func serverError() async throws {
        let script = "printf 'Status: 503 Later\\n\\nlater'"
        let handler = Handler(command: ["/bin/sh", "-c", script], contract: .cgi, directory: "/")
        try await World.with(.requests(handler)) { world async throws in
            for _ in 0..<2 {
                let reply = try await Self.request(world, "x")
                #expect(reply.head.status == 503 && !Self.isRepeat(reply))
            }
        }
    }

    @Test("a local redirect of a CGI program is followed again by a repeat, which runs nothing itself")
    func redirect() async throws {
        let handler = Handler(
            command: ["/bin/sh", "-c", "printf 'Location: /there\\n\\n'"], contract: .cgi, directory: "/")
        try await World.with(.requests(handler)) { world async throws in
            for _ in 0..<2 { #expect(try await Self.request(world, "x").redirect == "/there") }
            #expect(world.function.statistics.outcomes == ["succeeded": 1])
        }
    }

    @Test("a response that streams is collected, and repeated whole")
    func streams() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let first = try await Self.request(world, "stream", query: "chunks=20&size=1000")
            let second = try await Self.request(world, "stream", query: "chunks=20&size=1000")
            #expect(Self.text(first).utf8.count == 20_000)
            #expect(Self.text(second) == Self.text(first) && Self.isRepeat(second))
        }
    }

    @Test("a response too long to be kept is a 502, applies nothing and frees its worker")
    func tooLong() async throws {
        try await World.with(.contractWorker { $0.workers.max = 1 }) { world async throws in
            #expect(await Self.problem(world, "set-and-stream", query: "lines=10000")?.code == "response-too-long")
            #expect(try await world.text("key") == nil)
            #expect(await eventually { world.function.pool.snapshot.running == 0 })
        }
    }

    @Test("a response that breaks off is a failure and applies nothing")
    func breaksOff() async throws {
        try await World.with(.contractWorker()) { world async throws in
            #expect(await Self.problem(world, "break")?.code == "handler-failed")
            #expect(world.function.statistics.outcomes == ["failed": 1])
        }
    }

    @Test("after a conflict, only the answer of the last run is kept")
    func conflict() async throws {
        try await World.with(.contractWorker { $0.workers.concurrency = 4 }) { world async throws in
            try await withThrowingTaskGroup { group in
                for number in 0..<4 {
                    group.addTask { _ = try await Self.request(world, "add", query: "key=n&ms=20", key: "\(number)") }
                }
                try await group.waitForAll()
            }
            var sums: Set<String> = []
            for number in 0..<4 {
                sums.insert(Self.text(try await Self.request(world, "add", query: "key=n&ms=20", key: "\(number)")))
            }
            #expect(sums == ["1\n", "2\n", "3\n", "4\n"])
            #expect(try await world.text("n") == "4")
        }
    }

    @Test("a key is free again when its time is over")
    func expires() async throws {
        try await World.with(.contractWorker()) { world async throws in
            _ = try await Self.request(world, "increment", keep: .zero)
            _ = try await Self.request(world, "increment", keep: .zero)
            #expect(try await world.text("key") == "2")
        }
    }

    @Test("when the answer cannot be stored, the client does not get it")
    func unstored() async throws {
        try await World.with(.contractWorker()) { world async throws in
            try world.store.close()
            #expect(await Self.problem(world, "echo")?.code == "storage-unavailable")
        }
    }
}

extension Manifest {
    /// A function whose only trigger is any request.
    fileprivate static func requests(_ handler: Handler) -> Manifest {
        var manifest = Manifest.shell("")
        manifest.handler = handler
        return manifest
    }
}
