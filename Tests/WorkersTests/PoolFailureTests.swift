import Events
import Manifests
import Testing
import Workers

@Suite("A pool whose workers do not start")
struct PoolFailureTests {
    @Test("says why its workers do not start before the first call, and starts no more of them then")
    func coldHandler() {
        var bench = PoolBench()
        bench.note(bench.state.warmUp(2, now: bench.now))
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        bench.exits(1, "exit status 3")
        #expect(bench.state.warmth(bench.now) == .failed("exit status 3"))
        bench.exits(2, "exit status 3")
        bench.pass(.seconds(60))
        #expect(bench.takeSeen().isEmpty)
    }

    @Test("backs off when workers die before they are ready, longer each time, and tells who waits")
    func backoff() {
        var bench = PoolBench()
        for (round, delay) in [100, 200, 400, 800].enumerated() {
            _ = bench.call()
            #expect(bench.takeSeen().count == 1)
            bench.exits(round + 1, "no such library")
            #expect(bench.failures().map(\.1.message) == ["no such library"])
            bench.seen = []
            _ = bench.call()
            #expect(bench.failures().first?.1.retryAfter == .milliseconds(delay))
            bench.seen = []
            #expect(bench.state.room(bench.now, slots: 64) == 0)
            bench.pass(.milliseconds(delay))
            #expect(bench.state.room(bench.now, slots: 64) == 8)
        }
        #expect(bench.slots == 0)
    }

    @Test("never backs off for more than 30 s, and forgets after a success")
    func longestBackoff() {
        var backoff = StartBackoff()
        var now = PoolState.Instant.now
        for _ in 0..<40 {
            backoff.failed("x", now: now)
            #expect(backoff.until.map { $0 - now <= .seconds(30) } == true)
            now = backoff.until ?? now
        }
        #expect(backoff.until == now)
        backoff.succeeded()
        backoff.failed("x", now: now)
        #expect(backoff.until == now + .milliseconds(100))
    }

    @Test("counts the deaths of one batch of starts once")
    func batch() {
        var bench = PoolBench()
        for _ in 0..<5 { _ = bench.call() }
        for worker in 1...5 { bench.exits(worker) }
        #expect(bench.failures().count == 5)
        bench.pass(.milliseconds(100))
        #expect(bench.state.room(bench.now, slots: 64) == 8)
    }

    @Test("backs off when workers end that have run nothing, also when they close before", arguments: [true, false])
    func unused(closes: Bool) {
        var bench = PoolBench { policy, _ in policy.min = 1 }
        bench.note(bench.state.keepMinimum(bench.now))
        for (worker, delay) in zip(1..., [100, 200, 400]) {
            bench.ready(worker)
            bench.seen = []
            if closes { bench.note(bench.state.workerCloses(worker, now: bench.now)) }
            bench.exits(worker)
            bench.pass(.milliseconds(delay - 1))
            #expect(bench.takeSeen() == [])
            bench.pass(.milliseconds(1))
            #expect(bench.takeSeen() == [.start(worker + 1, lane: 0)])
        }
    }

    @Test("backs off when a ready worker cannot start a process for its call")
    func unstartable() {
        var bench = PoolBench { policy, _ in policy.max = 1 }
        _ = bench.call()
        bench.ready(1)
        bench.seen = []
        bench.note(bench.state.workerExited(1, reason: "no such program", couldNotStart: true, now: bench.now))
        _ = bench.call()
        #expect(bench.failures().map(\.1.message) == ["no such program"])
        #expect(bench.slots == 0)
    }
}
