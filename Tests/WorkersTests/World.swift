import Events
import Foundation
import Manifests
import NIOCore
import NIOPosix
import Support
import Synchronization
import Testing
import Wire
import Workers

/// Lanes, a budget and a pool for one test, with what the workers said.
struct World: Sendable {
    static let lanes = MultiThreadedEventLoopGroup(numberOfThreads: 2).makeIterator().map { Lane(loop: $0) }

    let pool: Pool
    let lines: Lines
    var lane = Self.lanes[0]

    /// Runs `body` with a pool whose workers are gone afterwards.
    static func with<Result>(
        _ manifest: Manifest, budget: WorkerBudget = WorkerBudget(limit: 64), lanes: [Lane] = World.lanes,
        processors: Int = 2, _ body: (World) async throws -> Result
    ) async throws -> Result {
        let lines = Lines()
        let pool = Pool(manifest: manifest, lanes: lanes, budget: budget, processors: processors) { lines.add($0) }
        let world = World(pool: pool, lines: lines, lane: lanes[0])
        do {
            let result = try await body(world)
            await pool.drain(within: .seconds(1))
            #expect(pool.snapshot.workers.isEmpty)
            return result
        } catch {
            await pool.drain(within: .zero)
            throw error
        }
    }

    /// What one request to a function is answered.
    static func text(of manifest: Manifest) async throws -> String {
        try await with(manifest) { try await $0.request("/").text() }
    }

    func request(
        _ path: String, query: String = "", method: String = "POST", body: Body = .empty,
        headers: [HeaderField] = [], time: Duration = .seconds(30), state: MemoryState = MemoryState(),
        id: InvocationID = InvocationID(), remote: String = "127.0.0.1:5000"
    ) async throws -> Response {
        let head = RequestHead(
            method: method, path: path, query: query, parameters: [HeaderField("name", "Ada")],
            headers: [HeaderField("Content-Type", "text/plain")] + headers, remoteAddress: remote)
        let invocation = Invocation(id: id, function: pool.manifest.name, cause: .request(head))
        let call = Call(invocation: invocation, body: body, time: time, state: state)
        switch try await pool.perform(call, on: lane) {
        case .response(let answer, let content): return Response(head: answer, body: content)
        case .redirect(let target): throw Unexpected(description: "a redirect to \(target)")
        case .acknowledged, .result: throw Unexpected(description: "an acknowledgement to a request")
        }
    }

    func deliver(_ event: Event, kind: TriggerKind = .timer, state: MemoryState = MemoryState()) async throws {
        let invocation = Invocation(function: pool.manifest.name, cause: .event(kind, event))
        let call = Call(invocation: invocation, body: .empty, time: .seconds(30), state: state)
        guard case .acknowledged = try await pool.perform(call, on: lane) else {
            throw Unexpected(description: "a response to an event")
        }
    }

    /// The failure of a request that must fail.
    func failure(of path: String, query: String = "", time: Duration = .seconds(30)) async throws -> CallFailure {
        do {
            let text = try await request(path, query: query, time: time).text()
            throw Unexpected(description: "no failure but '\(text.prefix(100))'")
        } catch let failure as CallFailure {
            return failure
        }
    }
}

struct Response {
    var head: ResponseHead
    var body: Body

    func bytes() async throws -> ByteBuffer {
        switch body {
        case .bytes(let bytes): return bytes
        case .stream(let stream):
            var all = ByteBuffer()
            while var chunk = try await stream.next() { all.writeBuffer(&chunk) }
            return all
        }
    }

    func text() async throws -> String { String(buffer: try await bytes()) }
}

struct Unexpected: Error, CustomStringConvertible { let description: String }

/// What the workers said, up to a bound.
final class Lines: Sendable {
    private struct Contents {
        var kept: [WorkerLine] = []
        var count = 0
    }
    private let contents = Mutex(Contents())

    func add(_ line: WorkerLine) {
        contents.withLock {
            $0.count += 1
            if $0.kept.count < 1000 { $0.kept.append(line) }
        }
    }

    var all: [WorkerLine] { contents.withLock { $0.kept } }
    var count: Int { contents.withLock { $0.count } }

    func first(_ source: WorkerLine.Source, containing text: String) -> WorkerLine? {
        all.first { $0.source == source && $0.text.contains(text) }
    }
}

/// State without transactions: enough to see operations arrive, in order.
final class MemoryState: CallState {
    private let contents: Mutex<[String: [UInt8]]>
    private let log = Mutex<[StateOperation]>([])
    private let commits = Mutex<[StateScope]>([])
    private let beforeCommit: @Sendable () async -> Void
    private let afterRead: @Sendable () -> Void
    /// Filled by the test.
    let values: ValueRing?

    init(
        _ contents: [String: String] = [:], values: ValueRing? = nil,
        beforeCommit: @escaping @Sendable () async -> Void = {}, afterRead: @escaping @Sendable () -> Void = {}
    ) {
        self.contents = Mutex(contents.mapValues { [UInt8]($0.utf8) })
        self.values = values
        self.afterRead = afterRead
        self.beforeCommit = beforeCommit
    }

    var operations: [StateOperation] { log.withLock { $0 } }
    /// The scopes that were committed.
    var committed: [StateScope] { commits.withLock { $0 } }

    func commit(_ scope: StateScope) async -> Result<StateResult, StateError> {
        await beforeCommit()
        commits.withLock { $0.append(scope) }
        return .success(.done)
    }

    func operate(_ scope: StateScope, _ operation: StateOperation) -> Result<StateResult, StateError> {
        log.withLock { $0.append(operation) }
        defer { if case .get = operation { afterRead() } }
        return contents.withLock { values in
            switch operation {
            case .get(let key): return .success(.value(values[key]))
            case .set("forbidden", _): return .failure(StateError(.invalid, "no"))
            case .set(let key, let value): values[key] = value
            case .delete(let key): values[key] = nil
            case .increment(let key, let amount):
                let sum = (Int64(String(decoding: values[key] ?? [], as: UTF8.self)) ?? 0) + amount
                values[key] = Array("\(sum)".utf8)
                return .success(.number(sum))
            case .list(let prefix, _, _):
                let entries = values.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
                return .success(.entries(entries.map { StateEntry(key: $0.key, value: $0.value) }, more: false))
            case .send, .abandon, .found: break
            }
            return .success(.done)
        }
    }
}
