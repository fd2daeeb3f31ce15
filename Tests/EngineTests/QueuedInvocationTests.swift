import Events
import Logging
import Manifests
import NIOCore
import ServiceLifecycle
import Storage
import Support
import Testing
import Workers

@testable import Engine

@Suite("Invocations from the queue")
struct QueuedInvocationTests {
    private func request(_ path: String, query: String = "", body: String = "") -> NewInvocation {
        let id = InvocationID()
        let event = Event(
            id: id.description, source: "/functions/f/requests", type: "apus.http.request", time: .now(),
            data: Array(body.utf8))
        let head = RequestHead(method: "POST", path: path, query: query, remoteAddress: "127.0.0.1:1")
        return NewInvocation(
            id: id, function: "f", kind: .http, trigger: "f/http", event: event, request: head, due: .now(),
            mayRepeat: false)
    }

    private func enqueue(_ new: NewInvocation, in world: World) async throws {
        _ = try await world.store.enqueue([new])
        world.engine.queueChanged()
    }

    private func result(of new: NewInvocation, in world: World) async throws -> InvocationResult? {
        try await enqueue(new, in: world)
        try await world.wait { try await world.store.record(of: new.id)?.ended != nil }
        return try await world.store.result(of: new.id)
    }

    @Test("a request runs as a request, its answer is kept, streamed or not, and its effects are committed")
    func request() async throws {
        try await World.with(.contractWorker()) { world async throws in
            try await world.dispatching { () async throws in
                let echo = try await result(of: request("/echo", body: "hello"), in: world)
                #expect(echo?.status == 200 && echo?.body == Array("hello".utf8) && echo?.isCut == false)
                let stream = try await result(of: request("/stream", query: "chunks=3&size=10"), in: world)
                #expect(stream?.body.count == 30)
                _ = try await result(of: request("/set", query: "key=k&value=v"), in: world)
            }
            #expect(try await world.text("k") == "v")
        }
    }

    @Test("of a long answer the beginning is kept, and the result says so")
    func cut() async throws {
        try await World.with(.contractWorker()) { world async throws in
            try await world.dispatching { () async throws in
                let result = try await result(of: request("/stream", query: "chunks=8&size=1000000"), in: world)
                #expect(result?.isCut == true && result?.body.count == 6 << 20)
            }
        }
    }

    @Test("an answer of 4xx stands; 5xx, 408, 425 and 429 are tried again, when the handler says")
    func statuses() {
        let now = WallTime(milliseconds: 0)
        for status in [200, 302, 400, 404, 409, 422] {
            #expect(Failure(queued: ResponseHead(status: status), now: now) == nil)
        }
        for status in [408, 425, 429, 500, 503] {
            #expect(Failure(queued: ResponseHead(status: status), now: now)?.permanent == false)
        }
        let busy = ResponseHead(status: 503, headers: [HeaderField("retry-after", "7")])
        #expect(Failure(queued: busy, now: now)?.wantedRest == .seconds(7))
    }

    @Test("an answer that breaks off is a failure")
    func brokenOff() async throws {
        try await World.with(.contractWorker { $0.retry.attempts = 1 }) { world async throws in
            try await world.dispatching { () async throws in
                let new = request("/break")
                #expect(try await result(of: new, in: world) == nil)
                #expect(try await world.store.record(of: new.id)?.state == .dead)
            }
        }
    }

    @Test("one that runs is cancelled: its call ends for that reason, it is done, and the next runs at once")
    func cancel() async throws {
        try await World.with(.shell("exec sleep 600") { $0.workers.max = 1 }) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching { () async throws in
                #expect(await eventually { world.function.pool.snapshot.running == 1 })
                let id = try #require(try await world.record()?.id)
                #expect(try await world.engine.cancel(id, reason: "asked for") == .running)
                #expect(await eventually { world.function.pool.snapshot.running == 0 })
                let record = try #require(try await world.record())
                #expect(record.state == .done && record.outcome == .cancelled && record.reason == "asked for")
                #expect(await eventually { world.function.statistics.last.first?.reason == "asked for" })
                #expect(try await world.engine.cancel(id, reason: "again") == .ended(.done))
            }
        }
    }

    @Test("one that has lost its lease while it ran does not run again in a successor of its function")
    func leaseLost() async throws {
        try await World.with(.shell("true")) { world async throws in
            let manifest = world.function.manifest
            try await enqueue(event(1, of: world.name), in: world)
            let leased = try #require(try await world.store.lease(function: world.name, limit: 1, now: .now()).first)
            _ = try await world.store.cancel(leased.invocation.id, reason: "asked for")
            let pool = Pool(manifest: manifest, lanes: World.lanes, budget: WorkerBudget(limit: 1)) { _ in }
            let successor = HostedFunction(manifest: manifest, pool: pool) {}
            world.engine.replace(functions: [successor])
            let invocation = Invocation(
                id: leased.invocation.id, function: world.name, cause: .event(.timer, leased.invocation.event))
            do throws(FailedRun) {
                _ = try await world.engine.run(
                    invocation, body: .empty, of: world.function, on: World.lanes[0], owing: .settle(leased))
            } catch {
                #expect(error.failure.outcome == .cancelled)
            }
            await pool.drain(within: .seconds(1))
            #expect(world.function.statistics.outcomes == ["cancelled": 1])
            #expect(successor.statistics.outcomes == [:])
        }
    }

    @Test("a function with a long queue does not keep another from its turn, also where workers are few")
    func fairness() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let store = try Store(directory: folder)
            let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let engine = InvocationEngine(store: store, logger: quiet)
            let budget = WorkerBudget(limit: 1)
            let functions = ["busy", "quiet"].map { name in
                var manifest = Manifest.shell("true")
                (manifest.name, manifest.namespace) = (name, name)
                let pool = Pool(manifest: manifest, lanes: World.lanes, budget: budget) { _ in }
                return HostedFunction(manifest: manifest, pool: pool) { engine.queueChanged() }
            }
            engine.replace(functions: functions)
            _ = try await store.enqueue(
                (0..<300).map { event($0, of: "busy") } + (0..<5).map { event($0, of: "quiet") })
            let dispatcher = QueueDispatcher(engine: engine, lanes: World.lanes, drain: .seconds(30))
            let group = ServiceGroup(services: [dispatcher], logger: quiet)
            async let end: Void = group.run()
            let isServed = try await eventually { try await store.queueCounts()["quiet"]?.done == 5 }
            #expect(isServed)
            #expect(try await store.queueCounts()["busy"].map { $0.done < 200 } == true)
            await group.triggerGracefulShutdown()
            try await end
            for function in functions { await function.pool.drain(within: .seconds(1)) }
            try store.close()
        }
    }

    private func event(_ number: Int, of function: String) -> NewInvocation {
        let event = Event(id: "\(number)", source: "/s", type: "t", time: .now())
        return NewInvocation(
            function: function, kind: .timer, trigger: "\(function)/timer/0", event: event, due: .now())
    }
}
