import Events
import Manifests
import Support
import Testing
import Workers

@Suite("A worker that is to go")
struct RetirementTests {
    @Test("serves on until its successor is ready, so that nobody waits")
    func overlap() {
        var bench = PoolBench { policy, _ in policy.retireInvocations = 2 }
        bench.warm(1)
        #expect(bench.call().worker == 1)
        bench.release(1)
        #expect(bench.takeSeen() == [.start(2, lane: 0, calmly: true)])
        #expect(bench.call().worker == 1)
        bench.ready(2)
        #expect(bench.takeSeen() == [.hurry(2)])
        #expect(bench.call().worker == 2)
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .retired)])
    }

    @Test("has a successor that starts calmly until somebody waits for it")
    func hurry() {
        var bench = PoolBench { policy, _ in policy.retireInvocations = 2 }
        bench.warm(1)
        #expect(bench.call().worker == 1)
        bench.release(1)
        #expect(bench.takeSeen() == [.start(2, lane: 0, calmly: true)])
        #expect(bench.call().worker == 1)
        let next = bench.call()
        #expect(next.worker == nil)
        #expect(bench.takeSeen().first == .hurry(2))
        bench.ready(2)
        #expect(bench.takeSeen() == [.give(2, to: next.waiter)])
    }

    @Test("leaves its successor to its own callers for a moment, who come back, and not to another function")
    func handover() {
        var bench = PoolBench { policy, _ in (policy.concurrency, policy.retireInvocations) = (4, 2) }
        for _ in 0..<4 { _ = bench.call() }
        bench.ready(1)
        for _ in 0..<2 { bench.release(1) }
        bench.ready(2)
        bench.seen = []
        bench.note(bench.state.surrender(bench.now))
        #expect(bench.takeSeen() == [])
        #expect(bench.state.surrenderable(bench.now)?.id == nil)
        bench.pass(.milliseconds(50))
        bench.note(bench.state.surrender(bench.now))
        #expect(bench.takeSeen() == [.stop(2, .surrendered)])
    }

    @Test("has one successor, also when it was to make way for others")
    func yielding() {
        var bench = PoolBench { policy, _ in (policy.concurrency, policy.retireInvocations) = (4, 2) }
        for _ in 0..<4 { _ = bench.call() }
        bench.ready(1)
        bench.pass(.milliseconds(250))
        for _ in 0..<2 { bench.release(1) }
        bench.seen = []
        bench.release(1, pressure: .turn)
        #expect(bench.surrendered == 1)
        bench.ready(2)
        #expect(bench.surrendered == 0)
        bench.pass(.milliseconds(60))
        #expect(bench.takeSeen() == [.hurry(2)])
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .retired)])
    }

    @Test("has its successor on its own lane")
    func lane() {
        var bench = PoolBench(lanes: 2) { policy, _ in policy.retireInvocations = 2 }
        _ = bench.call(lane: 1)
        bench.ready(1)
        bench.release(1)
        #expect(bench.call(lane: 1).worker == 1)
        bench.release(1)
        #expect(bench.takeSeen().last == .start(2, lane: 1, calmly: true))
    }

    @Test("goes first when nothing may be started beside it")
    func full() {
        var bench = PoolBench { policy, _ in (policy.retireInvocations, policy.max) = (2, 2) }
        bench.warm(2)
        #expect(bench.call().worker == 2)
        bench.release(2)
        #expect(bench.takeSeen() == [.stop(2, .retired)])
        bench.exits(2, "")
        // Its successor comes with the demand, as ever.
        #expect(bench.takeSeen() == [])
    }

    @Test("goes when its successor has not come for long")
    func patience() {
        var bench = PoolBench { policy, _ in (policy.retireInvocations, policy.idle) = (2, .seconds(60)) }
        bench.warm(1)
        bench.grantsSlots = false
        #expect(bench.call().worker == 1)
        bench.release(1)
        bench.pass(.seconds(9))
        #expect(bench.takeSeen() == [])
        bench.pass(.seconds(2))
        #expect(bench.takeSeen() == [.stop(1, .retired)])
    }

    @Test("is replaced when its processes hold too much, after its calls")
    func outgrown() {
        var bench = PoolBench { policy, _ in (policy.retireMemory, policy.concurrency) = (1 << 20, 2) }
        bench.warm(1)
        #expect(bench.call().worker == 1 && bench.call().worker == 1)
        bench.release(1)
        bench.state.weighs(1, now: bench.now)
        bench.note(bench.state.weighed(1, bytes: 1 << 20, now: bench.now))
        bench.release(1)
        #expect(bench.call().worker == 1)
        bench.seen = []
        bench.note(bench.state.weighed(1, bytes: 1 << 21, now: bench.now))
        #expect(bench.takeSeen() == [.start(2, lane: 0, calmly: true)])
        bench.ready(2)
        #expect(bench.takeSeen() == [.hurry(2)])
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .outgrown)])
    }

    @Test("goes at once where it may not reach what it could, and whoever comes waits for another")
    func outdated() {
        var bench = PoolBench()
        bench.warm(2)
        #expect(bench.call().worker == 2)
        bench.seen = []
        bench.note(bench.state.renew(bench.now))
        #expect(bench.takeSeen() == [.stop(1, .outdated)])
        let late = bench.call()
        #expect(late.worker == nil)
        #expect(bench.takeSeen() == [.start(3, lane: 0)])
        bench.release(2)
        #expect(bench.takeSeen() == [.stop(2, .outdated)])
        bench.ready(3)
        #expect(bench.takeSeen() == [.give(3, to: late.waiter)])
        bench.exits(1)
        bench.exits(2)
        #expect(bench.takeSeen() == [])
    }

    @Test("does not get ready where it may not reach what it could, and whoever waits for it waits for another")
    func outdatedStart() {
        var bench = PoolBench()
        let call = bench.call()
        #expect(bench.takeSeen() == [.start(1, lane: 0)])
        bench.note(bench.state.renew(bench.now))
        #expect(bench.takeSeen() == [.stop(1, .outdated), .start(2, lane: 0)])
        bench.exits(1)
        bench.ready(2)
        #expect(bench.takeSeen() == [.give(2, to: call.waiter)])
    }

    @Test("is weighed after each call, but not more often than ten times a second")
    func weighing() {
        var bench = PoolBench { policy, _ in policy.retireMemory = 1 << 20 }
        _ = bench.call()
        bench.ready(1)
        bench.seen = []
        bench.release(1)
        let first = bench.now
        #expect(bench.takeSeen() == [.weigh(1, at: first)])
        bench.state.weighs(1, now: first)
        bench.pass(.milliseconds(1))
        for _ in 0..<2 {
            #expect(bench.call().worker == 1)
            bench.release(1)
        }
        #expect(bench.takeSeen() == [.weigh(1, at: first + .milliseconds(100))])
    }

    @Test("has made way, when it holds more than retire.memory after a call", .timeLimit(.minutes(1)))
    func process() async throws {
        // Any Swift program has more than that in memory.
        let manifest = Handlers.contractWorker { $0.workers.retireMemory = 1 << 20 }
        try await World.with(manifest) { world in
            let first = try await world.request("/pid").text()
            let isReplaced = try await eventually { try await world.request("/pid").text() != first }
            #expect(isReplaced)
            let hasGone = await eventually { !world.pool.snapshot.workers.contains { "\($0.pid)\n" == first } }
            #expect(hasGone)
        }
    }

    @Test("one that stays within retire.memory stays")
    func small() async throws {
        let manifest = Handlers.contractWorker { $0.workers.retireMemory = 1 << 40 }
        try await World.with(manifest) { world in
            let first = try await world.request("/pid").text()
            for _ in 0..<50 { #expect(try await world.request("/pid").text() == first) }
        }
    }
}
