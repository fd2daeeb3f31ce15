import Engine
import Events
import Manifests
import Storage
import Testing
import Workers

/// A breaker with a clock that the test moves.
private struct Bench {
    var breaker: CircuitBreaker
    var now = SteadyTime.now

    init(_ adjust: (inout BreakerPolicy) -> Void = { _ in }) {
        var policy = BreakerPolicy()
        adjust(&policy)
        breaker = CircuitBreaker(policy: policy)
    }

    mutating func pass() -> CircuitBreaker.Pass { breaker.admit(at: now).pass }

    /// A call from its begin to its end.
    @discardableResult
    mutating func call(_ verdict: CircuitBreaker.Verdict) -> CircuitBreaker.Change? {
        let pass = pass()
        return breaker.ended(pass, verdict, at: now)
    }

    mutating func calls(_ count: Int, _ verdict: CircuitBreaker.Verdict) {
        for _ in 0..<count { call(verdict) }
    }
}

@Suite("A circuit breaker")
struct CircuitBreakerTests {
    @Test("opens when nearly all of enough calls failed, and says how many")
    func opens() {
        var bench = Bench()
        bench.calls(2, .works)
        bench.calls(17, .fails)
        #expect(bench.breaker.state == .closed)
        let change = bench.call(.fails)
        #expect(change == .opened(failures: 18, of: 20, rest: .seconds(5)))
        #expect(bench.pass() == .refused(for: .seconds(5)))
    }

    @Test("stays closed while half of the calls fail, however many they are")
    func halfFails() {
        var bench = Bench()
        for _ in 0..<500 {
            bench.call(.works)
            bench.call(.fails)
        }
        #expect(bench.breaker.state == .closed)
    }

    @Test("a function that worked for long opens it after some 90 failures")
    func breaksLater() {
        var bench = Bench()
        bench.calls(10_000, .works)
        bench.calls(89, .fails)
        #expect(bench.breaker.state == .closed)
        #expect(bench.call(.fails) == .opened(failures: 90, of: 100, rest: .seconds(5)))
    }

    @Test("what happened over a minute ago is forgotten")
    func forgets() {
        var bench = Bench()
        bench.calls(19, .fails)
        bench.now = bench.now + .seconds(61)
        bench.call(.fails)
        #expect(bench.breaker.state == .closed)
    }

    @Test("what says nothing about the function does not count")
    func neutral() {
        var bench = Bench()
        bench.calls(100, .neither)
        bench.calls(19, .fails)
        #expect(bench.breaker.state == .closed)
    }

    @Test("lets one call try after its rest, and closes when that works")
    func recovers() {
        var bench = Bench { $0.calls = 1 }
        bench.call(.fails)
        bench.now = bench.now + .seconds(5)
        let (pass, change) = bench.breaker.admit(at: bench.now)
        #expect(pass == .trial && change == .tries)
        #expect(bench.pass().isRefused)
        #expect(bench.breaker.ended(.trial, .works, at: bench.now) == .closed)
        #expect(bench.pass() == .free)
    }

    @Test("rests twice as long after each try that fails, up to a minute, and as at first once it has closed")
    func doubles() {
        var bench = Bench { $0.calls = 1 }
        bench.call(.fails)
        for rest in [10, 20, 40, 60, 60] {
            bench.now = bench.now + .seconds(60)
            #expect(bench.call(.fails) == .opened(failures: 1, of: 1, rest: .seconds(rest)))
        }
        bench.now = bench.now + .seconds(60)
        #expect(bench.call(.works) == .closed)
        #expect(bench.call(.fails) == .opened(failures: 1, of: 1, rest: .seconds(5)))
    }

    @Test("a try that says nothing leaves the next call to try")
    func retries() {
        var bench = Bench { $0.calls = 1 }
        bench.call(.fails)
        bench.now = bench.now + .seconds(5)
        #expect(bench.call(.neither) == nil)
        let (pass, change) = bench.breaker.admit(at: bench.now)
        #expect(pass == .trial && change == nil)
    }

    @Test("calls that began before it opened change nothing when they end")
    func stale() {
        var bench = Bench { $0.calls = 1 }
        let stale = bench.pass()
        bench.call(.fails)
        #expect(bench.breaker.ended(stale, .works, at: bench.now) == nil)
        #expect(bench.pass().isRefused)
    }

    @Test("says how many queued invocations may run")
    func quota() {
        var bench = Bench { $0.calls = 1 }
        #expect(bench.breaker.quota(at: bench.now).calls == nil)
        bench.call(.fails)
        #expect(bench.breaker.quota(at: bench.now) == (0, .seconds(5)))
        bench.now = bench.now + .seconds(5)
        #expect(bench.breaker.quota(at: bench.now).calls == 1)
        _ = bench.pass()
        #expect(bench.breaker.quota(at: bench.now).calls == 0)
    }
}

@Suite("A function that keeps failing")
struct BrokenFunctionTests {
    private static func contractWorker(rest: Duration) -> Manifest {
        .contractWorker {
            $0.workers.breaker?.calls = 3
            $0.workers.breaker?.rest = rest
        }
    }

    @Test("is answered 503 at once, until a call that tries succeeds")
    func rests() async throws {
        try await World.with(Self.contractWorker(rest: .milliseconds(1))) { world async throws in
            for _ in 0..<3 { #expect(await world.problem("exit")?.code == "worker-died") }
            try await world.wait {
                // The rest is over at once, so that the next call tries.
                let text = try? await world.request("echo").body
                return text != nil && world.function.breaker == .closed
            }
            let statistics = world.function.statistics
            #expect(statistics.outcomes["failed"] == 3 && statistics.running == 0)
        }
    }

    @Test("its calls start nothing while it rests, and say when to come again")
    func refuses() async throws {
        try await World.with(Self.contractWorker(rest: .seconds(60))) { world async throws in
            for _ in 0..<3 { #expect(await world.problem("exit")?.status == 502) }
            let started = world.function.pool.snapshot.started
            let problem = await world.problem("echo")
            #expect(problem?.status == 503 && problem?.code == "circuit-open")
            #expect((1...60).contains(problem?.retryAfter ?? 0))
            #expect(world.function.pool.snapshot.started == started)
            #expect(world.function.statistics.outcomes["rejected"] == 1)
        }
    }

    @Test("failures that the handler calls permanent are the fault of what it was given")
    func permanent() async throws {
        try await World.with(Self.contractWorker(rest: .seconds(60))) { world async throws in
            for _ in 0..<10 { #expect(await world.problem("fail")?.code == "handler-failed") }
            #expect(world.function.breaker == .closed)
        }
    }

    @Test("its events wait meanwhile, and use up no attempt")
    func holdsBack() async throws {
        let manifest = Manifest.shell("exit 1") {
            $0.workers.breaker?.calls = 1
            $0.workers.breaker?.rest = .seconds(3600)
            $0.retry.attempts = 100
        }
        try await World.with(manifest) { world async throws in
            try await world.enqueue("1")
            try await world.dispatching {
                try await world.wait { if case .open = world.function.breaker { true } else { false } }
                for number in 2...5 { try await world.enqueue("\(number)") }
                // Each turn of the dispatcher would take what it may.
                for _ in 0..<20 {
                    world.engine.queueChanged()
                    await Task.yield()
                }
            }
            let records = try await world.store.recent(function: world.name, state: nil, limit: 10)
            #expect(records.count == 5 && records.allSatisfy { $0.state == .waiting })
            #expect(records.map(\.attempt).reduce(0, +) == 1)
        }
    }
}
