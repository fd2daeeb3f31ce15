import Admin
import Engine
import Events
import Logging
import Manifests
import NIOCore
import Storage
import Workers

/// Where a leak check runs its events.
final class LeakBench {
    private static let mostBytes = 32 << 20
    private static let mostEntries = 1000

    private let manifest: Manifest
    private let store: Store
    private let lane: Lane
    private let directory: AccessDirectory
    private var runs = 0

    init(_ manifest: Manifest, store: Store, lane: Lane, directory: AccessDirectory) {
        var manifest = manifest
        manifest.workers.breaker = nil
        self.manifest = manifest
        self.store = store
        self.lane = lane
        self.directory = directory
    }

    /// One worker at a time.
    func pool(_ instance: WorkerPolicy.Instance) -> Pool {
        var manifest = manifest
        manifest.workers.instance = instance
        (manifest.workers.min, manifest.workers.max, manifest.workers.concurrency) = (0, 1, 1)
        manifest.limits.wait = .seconds(30)
        // Copies of one template have more in common than workers that have started by themselves.
        return Pool(
            manifest: manifest, lanes: [lane], budget: WorkerBudget(limit: 1), directory: directory, copies: false,
            output: { _ in })
    }

    /// Runs `body`; the workers of `pool` are gone afterwards.
    func using(_ pool: Pool, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            await pool.drain(within: .zero)
            throw error
        }
        await pool.drain(within: .seconds(5))
    }

    /// Runs the event in a namespace of its own.
    func answer(_ request: InvocationRequest, _ pool: Pool) async throws -> LeakCheck.Answer {
        runs += 1
        var manifest = manifest
        manifest.namespace = "run-\(runs)"
        let engine = InvocationEngine(store: store, logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        let function = HostedFunction(manifest: manifest, pool: pool) {}
        engine.replace(functions: [function])
        let id = InvocationID()
        let plan = try request.plan(for: manifest, id: id, now: .now())
        var answer = LeakCheck.Answer()
        do {
            try await run(plan, id, engine, into: &answer)
        } catch let problem as Problem {
            let last = function.statistics.last.first
            (answer.outcome, answer.reason) = (last?.outcome ?? .failed, last?.reason ?? problem.title)
        }
        let entries = try store.scan(
            prefix: "", after: nil, limit: Self.mostEntries, bytes: EffectsBuffer.maximumListed,
            in: manifest.namespace)
        answer.state = entries.map { StateEntry(key: $0.key, value: $0.value) }
        return answer.without(id)
    }

    private func run(
        _ plan: InvocationPlan, _ id: InvocationID, _ engine: InvocationEngine, into answer: inout LeakCheck.Answer
    ) async throws {
        switch plan {
        case .request(let head, let body): try await respond(to: head, body, id, engine, into: &answer)
        case .event(let kind, let event): try await handle(event, kind, id, engine)
        // Queued or not, it is handled the same way.
        case .enqueue(let new):
            guard let head = new.request else { return try await handle(new.event, new.kind, id, engine) }
            try await respond(to: head, new.event.data, id, engine, into: &answer)
        }
    }

    private func respond(
        to head: RequestHead, _ body: [UInt8], _ id: InvocationID, _ engine: InvocationEngine,
        into answer: inout LeakCheck.Answer
    ) async throws {
        let (head, bytes) = try await withTaskExecutorPreference(lane) {
            let reply = try await engine.respond(
                to: head, body: .bytes(ByteBuffer(bytes: body)), function: manifest.name, id: id, on: lane)
            return (reply.head, try await reply.body.all(upTo: Self.mostBytes))
        }
        (answer.head, answer.body) = (head, bytes)
    }

    private func handle(_ event: Event, _ kind: TriggerKind, _ id: InvocationID, _ engine: InvocationEngine)
        async throws
    {
        _ = try await withTaskExecutorPreference(lane) {
            try await engine.handle(event, kind: kind, function: manifest.name, id: id, on: lane)
        }
    }
}

extension Body {
    fileprivate func all(upTo most: Int) async throws -> [UInt8] {
        switch self {
        case .bytes(let buffer): return Array(buffer.readableBytesView)
        case .stream(let stream):
            var bytes: [UInt8] = []
            while bytes.count <= most, let chunk = try await stream.next() { bytes += chunk.readableBytesView }
            stream.cancel()
            return Array(bytes.prefix(most))
        }
    }
}

extension LeakCheck.Answer {
    /// The id of its invocation differs by nature.
    fileprivate func without(_ id: InvocationID) -> LeakCheck.Answer {
        let (id, name) = (id.description, "{invocation}")
        var answer = self
        answer.reason = reason?.replacing(id, with: name)
        answer.body = body.replacing(Array(id.utf8), with: Array(name.utf8))
        let headers = head?.headers ?? []
        answer.head?.headers = headers.map { HeaderField($0.name, $0.value.replacing(id, with: name)) }
        answer.state = state.map { entry in
            StateEntry(
                key: entry.key.replacing(id, with: name),
                value: entry.value.replacing(Array(id.utf8), with: Array(name.utf8)))
        }
        return answer
    }
}
