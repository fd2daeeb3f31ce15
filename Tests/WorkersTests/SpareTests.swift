import Manifests
import Testing
import Workers

@Suite("A pool whose workers are fresh for each call")
struct SpareTests {
    private static func bench(max: Int = 8) -> PoolBench {
        PoolBench { policy, limits in
            (policy.instance, policy.max, policy.retireInvocations) = (.fresh, max, 1)
            (policy.idle, limits.wait) = (.seconds(30), .seconds(60))
        }
    }

    /// A call that finds the worker that is ready, to its end.
    private static func call(_ bench: inout PoolBench, ready worker: Int) {
        #expect(bench.call().worker == worker)
        bench.note(bench.state.relieve(bench.now))
        bench.release(worker)
        bench.exits(worker, "")
    }

    @Test("starts one more than the calls that come, so that the next call need not wait")
    func ahead() {
        var bench = Self.bench()
        let first = bench.call().waiter
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        bench.ready(1)
        bench.ready(2)
        #expect(bench.takeSeen() == [.give(1, to: first)])
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .retired)])
        Self.call(&bench, ready: 2)
        #expect(bench.takeSeen() == [.start(3, lane: 0), .stop(2, .retired)])
    }

    @Test("has more ready when calls find none, and never more than its maximum in all")
    func follows() {
        var bench = Self.bench(max: 5)
        for _ in 0..<3 { _ = bench.call() }
        // Three for the calls; two more would be ready if there were no maximum, and three were wanted.
        #expect(bench.state.room(bench.now, slots: 64) == 2)
        #expect(bench.takeSeen().count == 5)
    }

    @Test("has fewer ready when some stay unused for a second")
    func recedes() {
        var bench = Self.bench()
        for _ in 0..<3 { _ = bench.call() }
        for worker in 1...6 { bench.ready(worker) }
        for worker in 1...3 {
            bench.release(worker)
            bench.exits(worker, "")
        }
        bench.seen = []
        // One call after the other: two of the three are never needed.
        var started = 6
        for ready in [6, 7, 5, 4, 8] {
            bench.pass(.milliseconds(600))
            guard let worker = bench.call().worker else {
                Issue.record("no worker for the call that \(ready) was expected for")
                return
            }
            bench.note(bench.state.relieve(bench.now))
            bench.release(worker)
            bench.exits(worker, "")
            for case .start(let new, _, _) in bench.takeSeen() {
                started = max(started, new)
                bench.ready(new)
            }
        }
        #expect(bench.state.room(bench.now, slots: 0) <= 3)
    }

    @Test("has none ready when nothing has called for long")
    func idle() {
        var bench = Self.bench()
        _ = bench.call()
        bench.ready(1)
        bench.ready(2)
        bench.release(1)
        bench.exits(1, "")
        bench.seen = []
        bench.pass(.seconds(29))
        #expect(bench.takeSeen() == [])
        bench.pass(.seconds(2))
        #expect(bench.takeSeen() == [.stop(2, .idle)])
        bench.exits(2, "")
        #expect(bench.takeSeen() == [])
    }

    @Test("has none ready while other pools wait for their places")
    func surrenders() {
        var bench = Self.bench()
        _ = bench.call()
        bench.ready(1)
        bench.ready(2)
        bench.seen = []
        bench.note(bench.state.surrender(bench.now))
        #expect(bench.takeSeen() == [.stop(2, .surrendered)])
        bench.exits(2, "")
        #expect(bench.takeSeen() == [])
    }

    @Test("asks for no place of another pool's to have one ready")
    func scarce() {
        var bench = Self.bench()
        bench.grantsSlots = false
        _ = bench.call()
        bench.grant()
        bench.note(bench.state.slotsAreScarce(bench.now))
        #expect(bench.takeSeen() == [.start(1, lane: 0)])
        // The slot for the second comes too late to be of use.
        bench.grant()
        #expect(bench.slots == 1)
    }
}
