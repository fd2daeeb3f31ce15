import Engine
import Events
import NIOCore
import Storage
import Support
import Testing
import Workers

@Suite("Requests from the queue")
struct QueuedRequestTests {
    private static let acceptance = Reply(
        head: ResponseHead(status: 202, headers: [HeaderField("Location", "/x")]), body: .empty)

    private static func request(
        _ world: World, _ operation: String, query: String = "", key: String? = nil, body: String = "",
        after delay: Duration = .zero
    ) -> QueuedRequest {
        let head = RequestHead(
            method: "POST", path: "/\(operation)", query: query, headers: [HeaderField("Content-Type", "text/plain")],
            idempotency: key.map { IdempotencyKey($0, keep: .seconds(3600)) })
        return QueuedRequest(
            id: InvocationID(), function: world.name, trigger: "\(world.name)/http/0", head: head,
            body: ByteBuffer(string: body), due: WallTime.now().advanced(by: delay), urgency: 2)
    }

    private static func accept(_ request: QueuedRequest, in world: World) async throws(Problem) -> Reply {
        try await withCheckedContinuation { continuation in
            _ = world.engine.accept(request, answering: acceptance, on: World.lanes[0]) {
                continuation.resume(returning: $0)
            }
        }.get()
    }

    private static func problem(_ body: () async throws -> Void) async -> Problem? {
        do {
            try await body()
            return nil
        } catch {
            return error as? Problem
        }
    }

    @Test("it is in the queue when it is accepted, runs with its body, and its response is kept")
    func runs() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let request = Self.request(world, "echo", body: "hello")
            #expect(try await Self.accept(request, in: world).head.status == 202)
            let before = try await world.engine.status(of: request.id)
            #expect(before.state == "waiting" && before.urgency == 2 && before.attempts == 0)
            try await world.dispatching {
                let status = try await world.engine.status(
                    of: request.id, endedWithin: .seconds(60), on: World.lanes[0])
                #expect(status.state == "done" && status.outcome == .succeeded && status.attempts == 1)
                #expect(status.result?.head.status == 200)
                #expect(status.result.map { String(decoding: $0.body, as: UTF8.self) } == "hello")
            }
        }
    }

    @Test("a repeat of one with a key gets what the first got, and runs nothing")
    func repeats() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let first = Self.request(world, "increment", key: "k")
            #expect(try await Self.accept(first, in: world).invocation == nil)
            let second = try await Self.accept(Self.request(world, "increment", key: "k"), in: world)
            #expect(second.head.status == 202 && second.invocation == first.id)
            #expect(second.head.headers.first("Location") == "/x")
            let other = await Self.problem {
                _ = try await Self.accept(Self.request(world, "increment", key: "k", body: "other"), in: world)
            }
            #expect(other?.code == "idempotency-key-reused")
            #expect(try await world.store.queueCounts()[world.name]?.enqueued == 1)
            #expect(try await world.store.record(of: first.id)?.event == "k")
        }
    }

    @Test("a hundred repeats at once are queued once")
    func concurrent() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let invocations = try await withThrowingTaskGroup { group in
                for _ in 0..<100 {
                    group.addTask {
                        let request = Self.request(world, "increment", key: "k")
                        return try await Self.accept(request, in: world).invocation ?? request.id
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(invocations.count == 1)
            #expect(try await world.store.queueCounts()[world.name]?.enqueued == 1)
        }
    }

    @Test("a full queue is a 503 with Retry-After, and leaves the key free")
    func full() async throws {
        try await World.with(.contractWorker()) { world async throws in
            world.store.setBounds([world.name: QueueBounds(waiting: 1)])
            _ = try await Self.accept(Self.request(world, "echo"), in: world)
            let problem = await Self.problem {
                _ = try await Self.accept(Self.request(world, "echo", key: "k"), in: world)
            }
            #expect(problem?.status == 503 && problem?.code == "queue-full" && problem?.retryAfter == 5)
            let kept = try await world.store.idempotentResponse(function: world.name, key: "k", now: .now())
            #expect(kept == nil)
        }
    }

    @Test("what cannot be stored is not accepted, nor what has no function")
    func refused() async throws {
        try await World.with(.contractWorker()) { world async throws in
            world.engine.replace(functions: [])
            let gone = await Self.problem { _ = try await Self.accept(Self.request(world, "echo"), in: world) }
            #expect(gone?.code == "no-function")
            world.engine.replace(functions: [world.function])
            try world.store.close()
            let closed = await Self.problem { _ = try await Self.accept(Self.request(world, "echo"), in: world) }
            #expect(closed?.status == 503 && closed?.code == "storage-unavailable")
        }
    }

    @Test("one that waits for its time can be cancelled, and says so ever after")
    func cancels() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let request = Self.request(world, "increment", after: .seconds(3600))
            _ = try await Self.accept(request, in: world)
            let cancelled = try await world.engine.cancelRequest(request.id)
            #expect(cancelled.isEnded && cancelled.outcome == .cancelled && cancelled.result == nil)
            #expect(try await world.engine.cancelRequest(request.id).outcome == .cancelled)
            #expect(try await world.text("key") == nil)
        }
    }

    @Test("what has ended cannot be cancelled")
    func ended() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let request = Self.request(world, "echo")
            _ = try await Self.accept(request, in: world)
            try await world.dispatching {
                _ = try await world.engine.status(of: request.id, endedWithin: .seconds(60), on: World.lanes[0])
            }
            let problem = await Self.problem { _ = try await world.engine.cancelRequest(request.id) }
            #expect(problem?.status == 409 && problem?.code == "invocation-ended")
        }
    }

    @Test("who waits for the end waits no longer than it wants to")
    func waits() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let request = Self.request(world, "echo", after: .seconds(3600))
            _ = try await Self.accept(request, in: world)
            let status = try await world.engine.status(
                of: request.id, endedWithin: .milliseconds(20), on: World.lanes[0])
            #expect(status.state == "waiting")
        }
    }

    @Test("nobody waits for what a host that stops will not run")
    func stops() async throws {
        try await World.with(.contractWorker()) { world async throws in
            let request = Self.request(world, "echo", after: .seconds(3600))
            _ = try await Self.accept(request, in: world)
            async let status = world.engine.status(
                of: request.id, endedWithin: .seconds(3600), on: World.lanes[0])
            QueueDispatcher(engine: world.engine, lanes: World.lanes, drain: .zero).stop()
            #expect(try await status.state == "waiting")
        }
    }

    @Test("events of other triggers, and unknown ids, are a 404")
    func unknown() async throws {
        try await World.with(.contractWorker()) { world async throws in
            try await world.enqueue("timer")
            let timer = try #require(try await world.record()?.id)
            for id in [timer, InvocationID()] {
                let problem = await Self.problem { _ = try await world.engine.status(of: id) }
                #expect(problem?.status == 404)
                #expect(await Self.problem { _ = try await world.engine.cancelRequest(id) }?.status == 404)
            }
            #expect(try await world.record()?.state == .waiting)
        }
    }
}
