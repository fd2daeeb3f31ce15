import Events
import Manifests
import Testing
import Workers

@Suite("A pool among others that want its places")
struct PoolSurrenderTests {
    @Test("waits for slots of the machine, and gives one back that it has no use for")
    func slots() {
        var bench = PoolBench()
        bench.grantsSlots = false
        let caller = bench.call().waiter
        #expect(bench.takeSeen() == [])
        #expect(bench.state.abandon(caller, now: bench.now).actions.contains(.withdrawSlots(1)))
        bench.grant()
        #expect(bench.takeSeen() == [])
        #expect(bench.slots == 0)
    }

    @Test("surrenders a worker to others only where nobody waits, unless it has more than its share")
    func surrender() {
        var bench = PoolBench { policy, _ in policy.max = 1 }
        bench.warm(1)
        #expect(bench.call().worker == 1)
        let waiter = bench.call().waiter
        bench.release(1)
        bench.note(bench.state.surrender(bench.now))
        #expect(bench.takeSeen() == [.give(1, to: waiter)])
        _ = bench.call()
        bench.release(1, pressure: .surplus)
        #expect(bench.takeSeen() == [.stop(1, .surrendered)])
        #expect(bench.surrendered == 1)
    }

    @Test("surrenders a worker that has calls after a turn of 250 ms, and a minimum never")
    func turn() {
        for (minimum, expected) in [(0, [PoolState.Action.stop(1, .surrendered)]), (1, [])] {
            var bench = PoolBench { policy, _ in (policy.max, policy.min) = (1, minimum) }
            for _ in 0..<9 { _ = bench.call() }
            bench.ready(1)
            bench.pass(.milliseconds(249))
            bench.release(1, pressure: .turn)
            bench.pass(.milliseconds(1))
            #expect(bench.takeGiven().count == 2)
            bench.release(1, pressure: .turn)
            #expect(bench.takeSeen().filter { if case .give = $0 { false } else { true } } == expected)
        }
    }

    @Test("makes no way with a worker that closes with calls, until it is gone")
    func yieldingCloses() {
        var bench = PoolBench { policy, _ in (policy.max, policy.concurrency) = (1, 4) }
        for _ in 0..<9 { _ = bench.call() }
        bench.ready(1)
        bench.pass(.milliseconds(250))
        bench.release(1, pressure: .turn)
        #expect(bench.surrendered == 1)
        bench.note(bench.state.workerCloses(1, now: bench.now))
        #expect(bench.surrendered == 0)
        bench.pass(.seconds(1))
        #expect(bench.surrendered == 0)
    }

    @Test("says that there is room again in a worker that was to make way and goes on")
    func yieldingRoom() {
        var bench = PoolBench { policy, _ in (policy.max, policy.concurrency) = (1, 4) }
        for _ in 0..<2 { _ = bench.call() }
        bench.ready(1)
        bench.pass(.milliseconds(250))
        bench.release(1, pressure: .turn)
        #expect(bench.state.room(bench.now, slots: 0) == 0)
        bench.roomGrew = 0
        bench.pass(.milliseconds(50))
        #expect(bench.state.room(bench.now, slots: 0) == 3)
        #expect(bench.roomGrew > 0)
    }

    @Test("lets the calls of a worker end that others wait for, if that takes no more than 50 ms")
    func yielding() {
        var bench = PoolBench { policy, _ in (policy.max, policy.concurrency) = (1, 4) }
        for _ in 0..<9 { _ = bench.call() }
        bench.ready(1)
        bench.pass(.milliseconds(250))
        bench.release(1, pressure: .turn)
        #expect(bench.takeGiven().count == 4)
        #expect(bench.surrendered == 1)
        bench.release(1)
        bench.pass(.milliseconds(49))
        #expect(bench.takeSeen().isEmpty)
        bench.pass(.milliseconds(1))
        #expect(bench.takeGiven().count == 2, "its places are given again")
        #expect(bench.surrendered == 0)

        bench.pass(.milliseconds(499))
        bench.release(1, pressure: .turn)
        #expect(bench.takeGiven().count == 1, "it has another turn first, twice as long")
        bench.pass(.milliseconds(1))
        bench.release(1, pressure: .turn)
        bench.pass(.milliseconds(99))
        #expect(bench.takeSeen().isEmpty, "and what it runs has twice as long to end")
        for _ in 0..<2 { bench.release(1, pressure: .turn) }
        #expect(bench.takeSeen().isEmpty)
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .surrendered)])
        #expect(bench.surrendered == 1)
        bench.exits(1, "")
        #expect(bench.takeSeen() == [.start(2, lane: 0)])
        #expect(bench.surrendered == 0)
    }

    @Test(
        "serves each call in the end, and makes each slot free that others count on, whatever comes between",
        arguments: 0..<40)
    func randomPressure(_ number: Int) {
        var bench = PoolBench { policy, limits in
            (policy.max, policy.concurrency, limits.wait) = (3, number % 2 == 0 ? 1 : 4, .seconds(3600))
        }
        var random = SystemRandomNumberGenerator()
        var running: [Int: Int] = [:]
        var (waiting, surrendered) = (0, 0)

        func settle() {
            while !bench.seen.isEmpty {
                for action in bench.takeSeen() {
                    switch action {
                    case .start(let worker, _, _): bench.ready(worker, ahead: number % 2 == 0 ? 3 : 0)
                    case .give(let worker, _):
                        running[worker, default: 0] += 1
                        waiting -= 1
                    case .recall(let worker):
                        while running[worker, default: 0] > 1 {
                            running[worker]? -= 1
                            waiting += 1
                            bench.note(bench.state.returned(worker))
                            bench.standAgain()
                        }
                    case .stop(let worker, let reason):
                        #expect(running[worker, default: 0] == 0)
                        if reason == .surrendered { surrendered += 1 }
                        bench.exits(worker)
                    default: break
                    }
                }
            }
        }
        func busy() -> Int? {
            running.keys.sorted().filter { running[$0] != 0 }.randomElement(using: &random)
        }
        func end(_ pressures: [BudgetPressure]) {
            guard let worker = busy() else { return }
            running[worker]? -= 1
            bench.release(worker, pressure: pressures.randomElement(using: &random) ?? .none)
            settle()
        }

        for _ in 0..<500 {
            switch Int.random(in: 0..<40, using: &random) {
            case 0..<16 where waiting < 20:
                if let worker = bench.call().worker { running[worker, default: 0] += 1 } else { waiting += 1 }
                settle()
            case 16..<32: end([.none, .none, .idle, .turn, .surplus])
            case 32:
                guard let worker = busy() else { break }
                running[worker] = nil
                bench.exits(worker)
                settle()
            default:
                bench.pass(.milliseconds(Int.random(in: 1...200, using: &random)))
                settle()
            }
        }
        while running.values.contains(where: { $0 > 0 }) || waiting > 0 {
            end([.none])
            bench.pass(.milliseconds(1))
            settle()
        }
        #expect(bench.surrendered == 0)
        #expect(surrendered > 0)
        #expect(bench.failures().isEmpty)
    }

    @Test("asks for calls that are ahead in a worker that others wait for")
    func yieldingAhead() {
        var bench = PoolBench { policy, limits in (policy.max, limits.waiting) = (1, 100) }
        for _ in 0..<20 { _ = bench.call() }
        bench.ready(1, ahead: 3)
        for _ in 0..<4 { bench.release(1) }
        bench.pass(.milliseconds(5))
        #expect(bench.state.ahead > 0)
        for _ in 0..<64 {
            bench.pass(.milliseconds(4))
            bench.release(1)
            _ = bench.call()
        }
        bench.seen = []
        let ahead = bench.state.ahead
        bench.release(1, pressure: .turn)
        #expect(bench.takeSeen() == [.recall(1)])
        for _ in 0..<ahead - 1 { bench.note(bench.state.returned(1)) }
        bench.release(1)
        #expect(bench.takeSeen() == [.stop(1, .surrendered)])
    }

    @Test("asks for no place of another pool's to relieve a lane, nor again before it gets one for another reason")
    func scarceRelief() {
        var bench = PoolBench(lanes: 2) { policy, _ in policy.concurrency = 100 }
        bench.warm(1)
        bench.grantsSlots = false
        for _ in 0..<5 { _ = bench.call(lane: 1) }
        bench.note(bench.state.relieve(bench.now))
        bench.note(bench.state.slotsAreScarce(bench.now))
        for _ in 0..<5 { _ = bench.call(lane: 1) }
        #expect(!bench.state.needsRelief)
        bench.grant()
        #expect(bench.takeSeen() == [])
        #expect(bench.slots == 1, "it has no use for another any more")
        _ = bench.call(lane: 1)
        #expect(bench.state.needsRelief)
    }
}
