import Events
import Manifests
import Testing
import Workers

@Suite("A pool")
struct PoolStateTests {
    @Test("starts a worker for each call that finds none, and gives it the call when it is ready")
    func scaleUp() {
        var bench = PoolBench()
        let first = bench.call()
        let second = bench.call()
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        bench.ready(2)
        #expect(bench.takeSeen() == [.give(2, to: first.waiter)])
        bench.ready(1)
        #expect(bench.takeSeen() == [.give(1, to: second.waiter)])
    }

    @Test("starts no more workers than its maximum, and serves who waits in the order of their coming")
    func maximum() {
        var bench = PoolBench { policy, _ in policy.max = 2 }
        let calls = (0..<4).map { _ in bench.call().waiter }
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        bench.ready(1)
        bench.ready(2)
        bench.release(2)
        bench.release(1)
        #expect(
            bench.takeSeen() == [
                .give(1, to: calls[0]), .give(2, to: calls[1]), .give(2, to: calls[2]), .give(1, to: calls[3]),
            ])
    }

    @Test("that takes over from another starts as many workers before the first call, up to its maximum")
    func warming() {
        var bench = PoolBench { policy, _ in policy.max = 2 }
        bench.note(bench.state.warmUp(5, now: bench.now))
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        #expect(bench.state.warmth(bench.now) == .coming)
        bench.ready(2)
        #expect(bench.state.warmth(bench.now) == .there)
        // One that ends from here on is started again by a call, as ever.
        bench.exits(1)
        bench.pass(.seconds(60))
        #expect(!bench.takeSeen().contains { if case .start = $0 { true } else { false } })
    }

    @Test("waits for no worker before the first call where there is no slot, or where it is told to end")
    func noSlots() {
        var bench = PoolBench()
        bench.grantsSlots = false
        bench.note(bench.state.warmUp(1, now: bench.now))
        #expect(bench.state.warmth(bench.now) == .there)
        bench.grant()
        #expect(bench.state.warmth(bench.now) == .coming)
        bench.note(bench.state.drain(bench.now))
        #expect(bench.state.warmth(bench.now) == .there)
    }

    @Test("starts a worker on a lane that crowds the worker of another")
    func crowding() {
        var bench = PoolBench(lanes: 2) { policy, _ in policy.concurrency = 100 }
        bench.warm(1)
        _ = bench.takeSeen()
        for _ in 0..<4 { #expect(bench.call(lane: 1).worker == 1) }
        #expect(!bench.state.needsRelief)
        #expect(bench.call(lane: 1).worker == 1)
        #expect(bench.state.needsRelief)
        bench.note(bench.state.relieve(bench.now))
        #expect(bench.takeSeen() == [.start(2, lane: 1)])
        #expect(!bench.state.needsRelief)
    }

    @Test("gives a worker that becomes free to the first who waits on its lane", arguments: [true, false])
    func near(quickly isQuick: Bool) {
        var bench = PoolBench(lanes: 2) { policy, _ in policy.max = 2 }
        bench.isQuick = isQuick
        _ = bench.call(lane: 0)
        _ = bench.call(lane: 1)
        bench.ready(1)
        bench.ready(2)
        let others = (0..<2).map { _ in bench.call(lane: 0).waiter }
        let near = bench.call(lane: 1).waiter
        _ = bench.takeSeen()
        bench.release(2)
        bench.release(2)
        bench.release(1)
        #expect(bench.takeSeen() == [.give(2, to: near), .give(2, to: others[0]), .give(1, to: others[1])])
    }

    @Test("lets a call pass one of another lane that has waited for less than 10 ms", arguments: [true, false])
    func nearForLong(quickly isQuick: Bool) {
        var bench = PoolBench(lanes: 2) { policy, _ in policy.max = 1 }
        bench.isQuick = isQuick
        _ = bench.call(lane: 1)
        bench.ready(1)
        let waiting = bench.call(lane: 0).waiter
        let passing = (0..<12).map { _ in bench.call(lane: 1).waiter }
        _ = bench.takeSeen()
        for _ in 0..<13 {
            bench.pass(.milliseconds(1))
            bench.release(1)
        }
        #expect(bench.takeGiven() == Array(passing[..<9]) + [waiting] + Array(passing[9...]))
    }

    @Test("keeps the order of those who wait when many behind the first go away", arguments: [true, false])
    func manyLeave(quickly isQuick: Bool) {
        var bench = PoolBench(lanes: 2) { policy, limits in (policy.max, limits.waiting) = (1, 1000) }
        bench.isQuick = isQuick
        _ = bench.call(lane: 1)
        bench.ready(1)
        let waiters = (0..<600).map { bench.call(lane: $0 % 2).waiter }
        _ = bench.takeSeen()
        bench.pass(.milliseconds(10))
        let staying = Set(waiters.filter { $0 % 50 == waiters[0] % 50 })
        for waiter in waiters.reversed() where !staying.contains(waiter) { bench.leaves(waiter) }
        for _ in staying { bench.release(1) }
        #expect(bench.takeGiven() == staying.sorted())
    }

    @Test("gives a call whose worker had gone its place in line again, and what is left of its time to wait")
    func again() {
        var bench = PoolBench(lanes: 2) { policy, limits in
            (policy.max, limits.waiting, limits.wait) = (1, 3, .seconds(5))
        }
        bench.warm(1)
        _ = bench.call(lane: 0)
        let unlucky = bench.call(lane: 0).waiter
        var others = (0..<2).map { bench.call(lane: $0 % 2).waiter }
        bench.release(1)
        #expect(bench.takeGiven() == [unlucky])
        // As many as may wait.
        others.append(bench.call(lane: 1).waiter)
        bench.pass(.seconds(4))
        bench.note(bench.state.workerCloses(1, now: bench.now))
        bench.note(bench.state.waitAgain(unlucky, lane: 0, after: .zero, now: bench.now))
        bench.exits(1)
        bench.ready(2)
        #expect(bench.takeGiven() == [unlucky])
        bench.note(bench.state.workerCloses(2, now: bench.now))
        bench.note(bench.state.waitAgain(unlucky, lane: 0, after: .seconds(2), now: bench.now))
        bench.pass(.seconds(1))
        #expect(bench.failures().map(\.0) == others)
        _ = bench.takeSeen()
        bench.pass(.seconds(2))
        #expect(bench.failures().map(\.0) == [unlucky])
        _ = bench.takeSeen()
        bench.note(bench.state.drain(bench.now))
        bench.note(bench.state.waitAgain(unlucky, lane: 0, after: .zero, now: bench.now))
        #expect(bench.failures().map(\.1.code) == [.stopping])
    }

    @Test("gives an idle worker at once, one on the caller's lane where there is one")
    func lanes() {
        var bench = PoolBench(lanes: 2)
        _ = bench.call(lane: 0)
        _ = bench.call(lane: 1)
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 1)])
        bench.ready(1)
        bench.ready(2)
        bench.release(1)
        bench.release(2)
        #expect(bench.call(lane: 1).worker == 2)
        #expect(bench.call(lane: 1).worker == 1)
    }

    @Test("fills one worker before it uses the next")
    func concurrency() {
        var bench = PoolBench { policy, _ in (policy.concurrency, policy.max) = (2, 2) }
        for _ in 0..<3 { _ = bench.call() }
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        bench.ready(1)
        bench.ready(2)
        #expect(bench.takeSeen() == [.give(1, to: 1), .give(1, to: 2), .give(2, to: 3)])
        #expect(bench.call().worker == 2)
        bench.release(1)
        #expect(bench.call().worker == 1)
        #expect(bench.call().worker == nil)
    }

    @Test("rejects a call that waited too long")
    func waitedTooLong() {
        var bench = PoolBench { policy, limits in (policy.max, limits.wait) = (1, .seconds(5)) }
        bench.warm(1)
        #expect(bench.call().worker == 1)
        let late = bench.call().waiter
        bench.pass(.seconds(4))
        #expect(bench.takeSeen() == [])
        bench.pass(.seconds(2))
        #expect(bench.failures().map(\.0) == [late])
        #expect(bench.failures().map(\.1.code) == [.waitedTooLong])
    }

    @Test("rejects a call when too many wait")
    func queueFull() {
        var bench = PoolBench { policy, limits in (policy.max, limits.waiting) = (1, 2) }
        bench.warm(1)
        for _ in 0..<3 { _ = bench.call() }
        #expect(bench.takeSeen() == [])
        _ = bench.call()
        #expect(bench.failures().map(\.1.code) == [.queueFull])
        #expect(bench.failures().first?.1.retryAfter != nil)
    }

    @Test("forgets a caller that has gone")
    func abandoned() {
        var bench = PoolBench { policy, _ in policy.max = 1 }
        bench.warm(1)
        _ = bench.call()
        let gone = bench.call().waiter
        let next = bench.call().waiter
        #expect(bench.state.abandon(gone, now: bench.now).wasWaiting)
        #expect(!bench.state.abandon(gone, now: bench.now).wasWaiting)
        bench.release(1)
        #expect(bench.takeSeen() == [.give(1, to: next)])
    }

    @Test("stops what has been idle, the longest idle first, down to its minimum")
    func idle() {
        var bench = PoolBench { policy, _ in (policy.min, policy.idle) = (1, .seconds(30)) }
        bench.warm(3)
        bench.pass(.seconds(20))
        #expect(bench.call().worker == 3)
        bench.release(3)
        bench.pass(.seconds(11))
        #expect(Set(bench.takeSeen().map(\.description)) == ["stop 1 idle", "stop 2 idle"])
        bench.pass(.seconds(120))
        #expect(bench.takeSeen() == [])
    }

    @Test("keeps its minimum, also when one dies")
    func minimum() {
        var bench = PoolBench { policy, _ in policy.min = 2 }
        bench.note(bench.state.keepMinimum(bench.now))
        #expect(bench.takeSeen() == [.start(1, lane: 0), .start(2, lane: 0)])
        bench.ready(1)
        bench.ready(2)
        #expect(bench.call().worker == 2)
        bench.release(2)
        bench.exits(2)
        #expect(bench.takeSeen() == [.start(3, lane: 0)])
    }

    @Test("replaces a worker that has served its time")
    func retire() {
        var bench = PoolBench { policy, _ in (policy.retireInvocations, policy.max) = (2, 1) }
        bench.warm(1)
        #expect(bench.call().worker == 1)
        let next = bench.call().waiter
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .retired)])
        bench.exits(1)
        bench.ready(2)
        #expect(bench.takeSeen() == [.start(2, lane: 0), .give(2, to: next)])
    }

    @Test("retires an idle worker at its age, once its successor is ready")
    func age() {
        var bench = PoolBench { policy, _ in
            (policy.min, policy.retireAge) = (1, .seconds(60))
        }
        bench.note(bench.state.keepMinimum(bench.now))
        bench.ready(1)
        bench.seen = []
        bench.pass(.seconds(61))
        #expect(bench.takeSeen() == [.start(2, lane: 0, calmly: true)])
        bench.ready(2)
        #expect(bench.takeSeen() == [.hurry(2), .stop(1, .retired)])
    }

    @Test("gives a worker that closes no more calls")
    func closing() {
        var bench = PoolBench { policy, _ in policy.concurrency = 2 }
        bench.warm(1)
        #expect(bench.call().worker == 1)
        bench.note(bench.state.workerCloses(1, now: bench.now))
        #expect(bench.call().worker == nil)
        #expect(bench.takeSeen() == [.start(2, lane: 0)])
    }

    @Test("drains: turns away who waits, lets calls end, and is done when the last worker is gone")
    func drain() {
        var bench = PoolBench { policy, _ in policy.max = 2 }
        bench.warm(2)
        #expect(bench.call().worker == 2)
        bench.note(bench.state.drain(bench.now))
        #expect(bench.takeSeen() == [.stop(1, .draining)])
        _ = bench.call()
        #expect(bench.failures().map(\.1.code) == [.stopping])
        bench.seen = []
        bench.release(2)
        #expect(bench.takeSeen() == [.stop(2, .draining)])
        bench.exits(1)
        bench.exits(2)
        #expect(bench.takeSeen() == [.drained])
        #expect(bench.slots == 0)
    }

    @Test("says how many more calls it could run")
    func room() {
        var bench = PoolBench { policy, _ in (policy.max, policy.concurrency) = (3, 2) }
        #expect(bench.state.room(bench.now, slots: 64) == 6)
        _ = bench.call()
        #expect(bench.state.room(bench.now, slots: 64) == 5)
        bench.ready(1)
        #expect(bench.state.room(bench.now, slots: 64) == 5)
        bench.release(1)
        #expect(bench.state.room(bench.now, slots: 64) == 6)
    }

    @Test("counts no calls for workers that the machine has no room for, but those that claim the next place")
    func roomInBudget() {
        var bench = PoolBench { policy, _ in (policy.max, policy.concurrency) = (8, 2) }
        #expect(bench.state.room(bench.now, slots: 3) == 6)
        #expect(bench.state.room(bench.now, slots: 0) == 2)
        bench.grantsSlots = false
        _ = bench.call()
        #expect(bench.state.room(bench.now, slots: 0) == 1)
    }

    @Test("the common ways leave what all others leave", arguments: 0..<40)
    func quick(_: Int) {
        var quick = PoolBench(lanes: 2) { policy, limits in
            (policy.max, policy.concurrency, policy.retireInvocations) = (3, 2, 40)
            limits.waiting = 6
        }
        quick.warm(3)
        var thorough = quick
        thorough.isQuick = false
        var random = SystemRandomNumberGenerator()
        var running: [Int] = []
        var waiting: [UInt64] = []
        for _ in 0..<400 {
            switch Int.random(in: 0..<16, using: &random) {
            case 0..<8:
                let lane = Int.random(in: 0...1, using: &random)
                let (ours, theirs) = (quick.call(lane: lane), thorough.call(lane: lane))
                #expect(ours == theirs)
                if let worker = ours.worker { running.append(worker) } else { waiting.append(ours.waiter) }
            case 8..<14 where !running.isEmpty:
                let worker = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                quick.release(worker)
                thorough.release(worker)
            case 14 where !waiting.isEmpty:
                let waiter = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &random))
                let (ours, ourActions) = quick.state.abandon(waiter, now: quick.now)
                let (theirs, theirActions) = thorough.state.abandon(waiter, now: thorough.now)
                #expect(ours == theirs)
                quick.note(ourActions)
                thorough.note(theirActions)
            case 15:
                quick.pass(.seconds(2))
                thorough.pass(.seconds(2))
            default: break
            }
            let seen = quick.takeSeen()
            #expect(seen == thorough.takeSeen())
            #expect(quick.timer == thorough.timer)
            for case .give(let worker, to: let waiter) in seen {
                running.append(worker)
                waiting.removeAll { $0 == waiter }
            }
        }
    }
}

extension PoolState.Action {
    fileprivate var description: String {
        if case .stop(let worker, let reason) = self { "stop \(worker) \(reason)" } else { "\(self)" }
    }
}
