import Events
import Manifests
import Testing
import Workers

/// A machine with two processors.
@Suite("A pool whose calls are short and many")
struct PoolGatherTests {
    /// Six busy workers that take calls ahead, of as many as there may be, and the calls that wait.
    private func crowded(by count: Int, lanes: Int = 1, callTime: Duration? = .microseconds(5)) -> PoolBench {
        var bench = PoolBench(lanes: lanes, processors: 2) { policy, limits in
            (policy.max, limits.waiting) = (6, 1000)
        }
        for number in 0..<6 { _ = bench.call(lane: number % lanes) }
        for worker in 1...6 {
            bench.ready(worker, ahead: 3)
            bench.callTimes[worker] = callTime
        }
        for number in 0..<count { _ = bench.call(lane: number % lanes) }
        bench.serve(for: .milliseconds(15))
        bench.seen = []
        return bench
    }

    @Test("has three workers at work, and the others idle")
    func three() {
        var bench = crowded(by: 900)
        bench.serve(for: .milliseconds(5))
        let chosen = bench.busy
        #expect(chosen.count == 3)
        bench.serve(for: .milliseconds(50))
        #expect(bench.busy == chosen)
        #expect(bench.inLine > 100)
    }

    @Test("has all at work when calls take longer, or when nobody says what they take")
    func longer() {
        for time in [Duration.microseconds(51), nil] {
            var bench = crowded(by: 400, callTime: time)
            bench.serve(for: .milliseconds(5))
            #expect(bench.busy.count == 6)
        }
    }

    @Test("has all at work again once a call takes 10 ms, or once they take longer")
    func again() {
        var bench = crowded(by: 400)
        bench.serve(for: .milliseconds(5))
        let slow = bench.busy[0]
        bench.serve(for: .milliseconds(25), except: [slow])
        #expect(bench.busy.count == 6)

        bench = crowded(by: 400)
        bench.serve(for: .milliseconds(5))
        #expect(bench.busy.count == 3)
        for worker in 1...6 { bench.callTimes[worker] = .milliseconds(1) }
        bench.serve(for: .milliseconds(11))
        #expect(bench.busy.count == 6)
    }

    @Test("takes no call for a long one that has not ended since a look a moment ago")
    func twoLooks() {
        var bench = crowded(by: 900)
        bench.serve(for: .milliseconds(5))
        #expect(bench.busy.count == 3)
        for _ in 0..<2 { bench.note(bench.state.tick(bench.now) { [times = bench.callTimes] in times[$0] }) }
        bench.serve(for: .milliseconds(1))
        #expect(bench.busy.count == 3)
    }

    @Test("has all at work again when fewer wait")
    func fewer() {
        var bench = crowded(by: 400)
        while bench.snapshot.waiting > 0 { bench.serve(for: .milliseconds(1)) }
        bench.serve(for: .milliseconds(20))
        for _ in 0..<6 { #expect(bench.call().worker != nil) }
    }

    @Test("turns no call away that could have run on an idle worker")
    func idleWorkers() {
        var bench = PoolBench(processors: 2) { policy, limits in (policy.max, limits.waiting) = (6, 20) }
        for _ in 0..<6 { _ = bench.call() }
        for worker in 1...6 {
            bench.ready(worker, ahead: 3)
            bench.callTimes[worker] = .microseconds(5)
        }
        for _ in 0..<50 {
            while bench.snapshot.waiting < 20 { _ = bench.call() }
            bench.serve(for: .microseconds(500))
        }
        #expect(bench.busy.count == 3)
        for _ in bench.snapshot.waiting..<23 { _ = bench.call() }
        #expect(bench.failures().isEmpty)
        _ = bench.call()
        #expect(bench.failures().map(\.1.code) == [.queueFull])
    }

    @Test("has a worker at work on each lane")
    func lanes() {
        var bench = crowded(by: 400, lanes: 2)
        bench.serve(for: .milliseconds(5))
        #expect(bench.busy.count == 3)
        #expect(Set(bench.busy.map { $0 % 2 }) == [0, 1], "workers start on the lanes by turns")
    }

    @Test("starts none that would not go to work, and those that would")
    func starts() throws {
        var bench = crowded(by: 400)
        bench.serve(for: .milliseconds(5))
        let idle = (1...6).filter { !bench.busy.contains($0) }
        for worker in idle { bench.exits(worker) }
        bench.serve(for: .milliseconds(5))
        #expect(bench.takeStarted() == [])
        bench.exits(try #require(bench.busy.first))
        #expect(bench.takeStarted() == [7])
        for worker in 1...6 { bench.callTimes[worker] = .milliseconds(1) }
        bench.serve(for: .milliseconds(11))
        #expect(bench.takeStarted() == [8, 9, 10])
    }

    @Test("gives each call once, and in the end, whatever comes between", arguments: 0..<40)
    func random(_: Int) {
        var bench = crowded(by: 60, lanes: 2)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<400 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<8: _ = bench.call(lane: Int.random(in: 0..<2, using: &random))
            case 8..<18: bench.serve(for: .microseconds(Int.random(in: 0..<1500, using: &random)))
            case 18:
                bench.callTimes[Int.random(in: 1...6, using: &random)] = .microseconds(
                    Int.random(in: 1..<60, using: &random))
            default: bench.serve(for: .milliseconds(12), except: [Int.random(in: 1...6, using: &random)])
            }
            let most = bench.state.mostAtWork
            #expect(bench.inLine == 0 || bench.busy.count >= most, "\(bench.busy.count) of \(most)")
        }
        while bench.snapshot.waiting + bench.state.ahead > 0 { bench.serve(for: .milliseconds(1)) }
        bench.serve(for: .milliseconds(1))
        #expect(bench.busy.isEmpty)
        #expect(bench.failures().isEmpty)
    }
}

extension PoolBench {
    fileprivate var snapshot: PoolSnapshot { state.snapshot(now) { Int32($0) } }

    fileprivate var inLine: Int { snapshot.waiting - state.ahead }

    /// Workers that run calls, in their order.
    fileprivate var busy: [Int] { snapshot.workers.filter { $0.state == "busy" }.map { Int($0.pid) }.sorted() }

    fileprivate mutating func takeStarted() -> [Int] {
        takeSeen().compactMap { if case .start(let worker, _, _) = $0 { worker } else { nil } }
    }

    /// Each busy worker ends a call each half millisecond.
    fileprivate mutating func serve(for duration: Duration, except slow: Set<Int> = []) {
        let end = now + duration
        repeat {
            for worker in busy where !slow.contains(worker) { release(worker) }
            pass(min(.microseconds(500), end - now))
        } while now < end
    }
}
