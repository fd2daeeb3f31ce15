import Engine
import Events
import Foundation
import Logging
import Manifests
import NIOCore
import NIOPosix
import ServiceLifecycle
import Storage
import Support
import Testing
import Workers

/// An engine with a store, and one function with a pool.
struct World: Sendable {
    static let lanes = MultiThreadedEventLoopGroup(numberOfThreads: 2).makeIterator().map { Lane(loop: $0) }

    let engine: InvocationEngine
    let function: HostedFunction

    var store: Store { engine.store }
    var name: String { function.manifest.name }

    /// Runs `body` with `manifest` as the running set; its workers are gone afterwards.
    static func with(_ manifest: Manifest, _ body: (World) async throws -> Void) async throws {
        try await withTemporaryFolder { try await with(manifest, in: $0, body) }
    }

    /// The same with the store in `folder`.
    static func with(_ manifest: Manifest, in folder: String, _ body: (World) async throws -> Void) async throws {
        let store = try Store(directory: folder)
        let engine = InvocationEngine(store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let pool = Pool(manifest: manifest, lanes: lanes, budget: WorkerBudget(limit: 16)) { _ in }
        let function = HostedFunction(manifest: manifest, pool: pool) { engine.queueChanged() }
        engine.replace(functions: [function])
        do {
            try await body(World(engine: engine, function: function))
        } catch {
            await pool.drain(within: .zero)
            throw error
        }
        await pool.drain(within: .seconds(1))
        try store.close()
    }

    // MARK: Requests

    func request(_ operation: String, query: String = "", body: Body = .empty) async throws(Problem) -> Reply {
        let head = RequestHead(method: "POST", path: "/\(operation)", query: query)
        return try await engine.respond(to: head, body: body, function: name, id: InvocationID(), on: Self.lanes[0])
    }

    /// The problem that a request must end with.
    func problem(_ operation: String, query: String = "", body: Body = .empty) async -> Problem? {
        do throws(Problem) {
            _ = try await request(operation, query: query, body: body)
            return nil
        } catch {
            return error
        }
    }

    func put(_ key: String, _ text: String) async throws {
        var effects = Effects(namespace: name)
        effects.writes.append(Effects.KeyWrite(StateKey(key), .set(Array(text.utf8))))
        _ = try await store.commit(Commit(effects: effects))
    }

    func text(_ key: String) async throws -> String? {
        try store.value(key, in: name).map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// Changes `key` again and again, so that no invocation that reads it and takes a while can commit.
    func disturbing<Result: Sendable>(_ key: String, _ body: @escaping @Sendable () async -> Result) async -> Result {
        await withTaskGroup { group in
            group.addTask {
                var number = 0
                while !Task.isCancelled {
                    number += 1
                    try? await put(key, "\(number)")
                }
            }
            let result = await body()
            group.cancelAll()
            return result
        }
    }

    // MARK: The queue

    func enqueue(_ id: String) async throws {
        let event = Event(id: id, source: "/timers/t/0", type: "apus.timer.due", time: .now())
        let invocation = NewInvocation(
            function: name, kind: .timer, trigger: "\(name)/timer/0", event: event, due: .now())
        _ = try await store.enqueue([invocation])
        engine.queueChanged()
    }

    /// Runs `body` while the queue is dispatched, then shuts the dispatcher down and waits for its end.
    func dispatching(drain: Duration = .seconds(30), _ body: () async throws -> Void) async throws {
        let dispatcher = QueueDispatcher(engine: engine, lanes: Self.lanes, drain: drain)
        let group = ServiceGroup(
            services: [dispatcher], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let end: Void = group.run()
        try await body()
        await group.triggerGracefulShutdown()
        try await end
    }

    func wait(_ condition: () async throws -> Bool) async throws {
        let holds = try await eventually(condition)
        #expect(holds)
    }

    func record() async throws -> QueueRecord? { try await store.recent(function: name, state: nil, limit: 1).first }
}

extension Manifest {
    private static let anyPath = HTTPTrigger(path: RoutePattern(segments: [.rest("path")], description: "/{path*}"))
    private static let timer = TimerTrigger(schedule: .every(.seconds(3600)))

    /// `Tests/ContractWorker`, which SwiftPM puts beside the test bundle.
    static func contractWorker(_ adjust: (inout Manifest) -> Void = { _ in }) -> Manifest {
        let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }.map { URL(fileURLWithPath: $0) }
        let products = (bundle ?? executable).deletingLastPathComponent()
        let path = products.appendingPathComponent("ContractWorker").path
        return make(Handler(command: [path], contract: .apus, directory: "/"), [.http(anyPath), .timer(timer)], adjust)
    }

    /// A shell script that is run for each event.
    static func shell(_ script: String, _ adjust: (inout Manifest) -> Void = { _ in }) -> Manifest {
        let handler = Handler(command: ["/bin/sh", "-c", script], contract: .stdio, directory: "/")
        return make(handler, [.timer(timer)], adjust)
    }

    private static func make(
        _ handler: Handler, _ triggers: [Trigger], _ adjust: (inout Manifest) -> Void
    ) -> Manifest {
        var manifest = Manifest(name: "f", handler: handler, triggers: triggers)
        manifest.limits.time = .seconds(30)
        manifest.limits.wait = .seconds(30)
        manifest.retry.first = .milliseconds(1)
        adjust(&manifest)
        return manifest
    }
}
