import Events
import Foundation
import Manifests
import Support
import Testing
import Workers

/// More callers than workers, which run one call each and are sent some ahead.
@Suite("Calls that workers are sent ahead of their turn", .serialized, .timeLimit(.minutes(3)))
struct AheadTests {
    private enum Outcome: Equatable, Sendable {
        /// It was alone in its worker.
        case alone
        case beside(String)
        case failed(CallFailure.Code)
    }

    private func with<Result>(workers: Int, _ body: (World) async throws -> Result) async throws -> Result {
        let manifest = Handlers.contractWorker {
            ($0.workers.max, $0.workers.concurrency, $0.limits.waiting) = (workers, 1, 1000)
        }
        return try await World.with(manifest, body)
    }

    /// What becomes of so many calls that all wait before the first of them begins.
    ///
    /// - Parameters:
    ///   - inOrder: of their numbers.
    ///   - path: of the call with this number.
    ///   - meanwhile: runs once all wait.
    private func crowd(
        _ world: World, _ count: Int, inOrder: Bool = false,
        path: @escaping @Sendable (Int) -> String = { _ in "/running" },
        meanwhile: @escaping @Sendable ([Task<Outcome, any Error>]) async -> Void = { _ in }
    ) async throws -> [Outcome] {
        let most = world.pool.manifest.workers.max
        let before = (0..<most).map { _ in Task { try await world.request("/sleep", query: "ms=60000").text() } }
        #expect(await eventually { world.pool.snapshot.running == most })
        var calls: [Task<Outcome, any Error>] = []
        for number in 0..<count {
            let call = Task { () async throws -> Outcome in
                do {
                    let text = try await world.request(path(number), query: "us=10&ms=60000&size=250000").text()
                    return text == "1" ? .alone : .beside(text)
                } catch let failure as CallFailure {
                    return .failed(failure.code)
                }
            }
            calls.append(call)
            if inOrder { #expect(await eventually { world.pool.snapshot.waiting == calls.count }) }
        }
        #expect(await eventually { world.pool.snapshot.waiting == count })
        for call in before { call.cancel() }
        await meanwhile(calls)
        var outcomes: [Outcome] = []
        for call in calls { outcomes.append(try await call.value) }
        return outcomes
    }

    @Test("run one after the other, each once")
    func alone() async throws {
        try await with(workers: 2) { world in
            let outcomes = try await crowd(world, 500)
            #expect(outcomes == Array(repeating: .alone, count: 500))
            #expect(world.pool.snapshot.workers.map(\.invocations).reduce(0, +) == 502)
        }
    }

    @Test("go to another worker when the one before them takes long")
    func slow() async throws {
        try await with(workers: 3) { world in
            let outcomes = try await crowd(world, 500) {
                [100, 200].contains($0) ? "/sleep" : "/running"
            } meanwhile: {
                for call in $0[..<100] + $0[101..<200] + $0[201...] { _ = try? await call.value }
                #expect(await eventually { world.pool.snapshot.running == 2 })
                for call in [$0[100], $0[200]] { call.cancel() }
            }
            for (number, outcome) in outcomes.enumerated() {
                #expect(outcome == ([100, 200].contains(number) ? .failed(.cancelled) : .alone))
            }
        }
    }

    @Test("begin when the whole answer to the one before has gone out, however long it is")
    func longAnswer() async throws {
        try await with(workers: 1) { world in
            let paths = [50: "/bytes", 51: "/block"]
            let outcomes = try await crowd(world, 60, inOrder: true) {
                paths[$0] ?? "/running"
            } meanwhile: { calls in
                let answer = try? await calls[50].value
                #expect(answer == .beside(String(repeating: "x", count: 250_000)))
                calls[51].cancel()
            }
            for number in 0..<60 where paths[number] == nil { #expect(outcomes[number] == .alone) }
            #expect(outcomes[51] == .failed(.cancelled))
        }
    }

    @Test("go to another worker when theirs dies")
    func dies() async throws {
        try await with(workers: 2) { world in
            let outcomes = try await crowd(world, 500) { $0 % 50 == 49 ? "/crash" : "/running" }
            for (number, outcome) in outcomes.enumerated() {
                #expect(outcome == (number % 50 == 49 ? .failed(.workerDied) : .alone))
            }
        }
    }

    @Test("end when their callers go, and leave the worker to others")
    func cancelled() async throws {
        try await with(workers: 1) { world in
            for _ in 0..<5 {
                let outcomes = try await crowd(world, 300) { _ in
                    "/running"
                } meanwhile: { calls in
                    _ = try? await calls[20].value
                    for (number, call) in calls.enumerated() where number % 2 == 1 { call.cancel() }
                }
                for (number, outcome) in outcomes.enumerated() {
                    #expect(outcome == .alone || number % 2 == 1 && outcome == .failed(.cancelled))
                }
            }
            #expect(world.pool.snapshot.started == 1)
        }
    }
}
