import Admin
import Engine
import Events
import Logging
import Manifests
import NIOCore
import Storage
import Synchronization
import Workers

/// Where a leak check runs its events.
final class LeakBench {
    private static let mostBytes = 32 << 20
    private static let mostEntries = 1000
    private static let mostMessages = 1000

    private let manifest: Manifest
    /// The other functions that are declared: what is sent to them is looked at, and goes no further.
    private let others: [Manifest]
    private let folder: String
    private let lane: Lane
    private let directory: AccessDirectory
    private let output = LastLines()
    private var runs = 0

    /// - Parameters:
    ///   - manifests: all that are declared.
    ///   - folder: where each run gets a data folder of its own.
    init(_ manifest: Manifest, among manifests: [Manifest], in folder: String, lane: Lane, directory: AccessDirectory) {
        var manifest = manifest
        manifest.workers.breaker = nil
        self.manifest = manifest
        self.folder = folder
        self.lane = lane
        self.directory = directory
        others = manifests.filter { $0.name != manifest.name }
    }

    /// The last lines that the latest run has logged or printed.
    var lines: [String] { output.all }

    /// One worker at a time; one that is reused stays as long as it likes.
    func pool(_ instance: WorkerPolicy.Instance) -> Pool {
        var manifest = manifest
        manifest.workers = WorkerPolicy()
        (manifest.workers.instance, manifest.workers.max) = (instance, 1)
        let day = Duration.seconds(24 * 60 * 60)
        (manifest.workers.idle, manifest.workers.retireAge, manifest.workers.retireInvocations) = (day, day, .max)
        manifest.limits.wait = .seconds(30)
        // Copies of one template have more in common than workers that have started by themselves.
        return Pool(
            manifest: manifest, lanes: [lane], budget: WorkerBudget(limit: 1), directory: directory, copies: false,
            output: { [output] in output.add($0) })
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

    /// Runs the event, on a state and a queue of its own: an id that a message has had is known to its queue.
    func answer(_ request: InvocationRequest, _ pool: Pool) async throws -> LeakCheck.Answer {
        runs += 1
        output.clear()
        let store = try Store(directory: "\(folder)/\(runs)")
        do {
            let answer = try await answer(request, pool, store)
            try store.close()
            return answer
        } catch {
            // The reason to end is worth more than what closing may say.
            try? store.close()
            throw error
        }
    }

    private func answer(_ request: InvocationRequest, _ pool: Pool, _ store: Store) async throws -> LeakCheck.Answer {
        let engine = InvocationEngine(store: store, logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        let function = HostedFunction(manifest: manifest, pool: pool) {}
        engine.replace(functions: [function], absent: others)
        let id = InvocationID()
        let plan = try request.plan(for: manifest, id: id, now: .now())
        var answer = LeakCheck.Answer()
        do {
            try await run(plan, id, engine, into: &answer)
        } catch let problem as Problem {
            (answer.outcome, answer.reason) = (.failed, problem.title)
        }
        // An answer alone does not say that it is one: a server may have failed, and said so.
        if let last = function.statistics.last.first { (answer.outcome, answer.reason) = (last.outcome, last.reason) }
        let entries = try store.scan(
            prefix: "", after: nil, limit: Self.mostEntries, bytes: EffectsBuffer.maximumListed,
            in: manifest.namespace)
        answer.state = entries.map { StateEntry(key: $0.key, value: $0.value) }
        answer.messages = try await messages(in: store)
        return answer.without(id)
    }

    /// What was sent, by who gets it, and then in the order in which it is due.
    private func messages(in store: Store) async throws -> [LeakCheck.Message] {
        var messages: [LeakCheck.Message] = []
        for function in try await store.queueCounts().keys.sorted() {
            let ever = WallTime(milliseconds: .max)
            for leased in try await store.lease(function: function, limit: Self.mostMessages, now: ever) {
                // Changes of the state are among what is left there.
                guard leased.invocation.kind == .topic else { continue }
                messages.append(LeakCheck.Message(leased.invocation))
            }
        }
        return messages
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
        answer.messages = messages.map { message in
            var message = message
            message.attributes = message.attributes.map { HeaderField($0.name, $0.value.replacing(id, with: name)) }
            message.data = message.data.replacing(Array(id.utf8), with: Array(name.utf8))
            return message
        }
        return answer
    }
}

extension LeakCheck.Message {
    fileprivate init(_ invocation: NewInvocation) {
        let passing: Set = ["specversion", "time"]
        function = invocation.function
        attributes = invocation.event.attributes.filter { !passing.contains($0.name) }
        data = invocation.event.data
    }
}

/// Keeps the last lines that workers have logged or printed, and what the host has against them.
private final class LastLines: Sendable {
    private static let most = 10

    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func clear() { lines.withLock { $0 = [] } }

    func add(_ line: WorkerLine) {
        if line.source == .host, line.level == "debug" || line.level == "info" { return }
        lines.withLock { $0 = ($0 + line.text.split(separator: "\n").map(String.init)).suffix(Self.most) }
    }
}
