import Events
import Manifests
import Testing
import Workers

@Suite("A pool's calls that go ahead of their turn")
struct PoolAheadTests {
    /// Two busy workers that have begun their calls now, and the calls that wait, of which there were two more.
    private func crowded(
        by count: Int, mayGoAhead: Bool = true, adjust: (inout WorkerPolicy, inout Limits) -> Void = { _, _ in }
    ) -> (bench: PoolBench, waiting: [UInt64]) {
        var bench = PoolBench { policy, limits in
            (policy.max, limits.waiting) = (2, 100)
            adjust(&policy, &limits)
        }
        for _ in 0..<2 { _ = bench.call() }
        for worker in 1...2 { bench.ready(worker, ahead: 3) }
        let calls = (0..<count).map { _ in bench.call(mayGoAhead: mayGoAhead).waiter }
        for worker in 1...2 { bench.release(worker) }
        #expect(bench.takeGiven().suffix(2) == calls.prefix(2))
        #expect(bench.state.ahead == 0)
        return (bench, Array(calls.dropFirst(2)))
    }

    @Test("goes to a worker whose last call was short, one more with each that ends, up to as many as it takes")
    func short() {
        var (bench, waiting) = crowded(by: 20)
        bench.pass(.milliseconds(11))
        bench.release(1)
        #expect(bench.takeGiven() == [waiting[0]])
        for count in 1...3 {
            bench.release(1)
            #expect(bench.takeGiven() == [waiting[2 * count - 1], waiting[2 * count]])
            #expect(bench.state.ahead == count)
        }
        bench.release(1)
        #expect(bench.takeGiven() == [waiting[7]])
        #expect(bench.state.ahead == 3)
    }

    @Test("stays in line where few wait, where its body is not there, or where the worker takes none")
    func stays() {
        var (bench, _) = crowded(by: 3)
        bench.release(1)
        #expect(bench.state.ahead == 0)

        (bench, _) = crowded(by: 20, mayGoAhead: false)
        for _ in 0..<10 { bench.release(1) }
        #expect(bench.state.ahead == 0)

        bench = PoolBench { policy, limits in (policy.max, limits.waiting) = (1, 100) }
        _ = bench.call()
        bench.ready(1)
        for _ in 0..<20 { _ = bench.call() }
        for _ in 0..<10 { bench.release(1) }
        #expect(bench.state.ahead == 0)
    }

    @Test("is asked for again when another worker has room")
    func room() {
        var (bench, waiting) = crowded(by: 8)
        for _ in 0..<2 { bench.release(1) }
        #expect(bench.takeGiven() == Array(waiting[..<4]))
        for _ in 0..<3 { bench.release(2) }
        #expect(bench.takeSeen() == [.give(2, to: waiting[4]), .give(2, to: waiting[5]), .recall(1)])
        for call in waiting[2..<4] {
            bench.note(bench.state.returned(1))
            bench.note(bench.state.waitAgain(call, lane: 0, after: .zero, now: bench.now))
        }
        #expect(bench.takeSeen() == [.give(2, to: waiting[2])])
        bench.release(1)
        #expect(bench.takeSeen() == [.give(1, to: waiting[3])])
    }

    @Test("is asked for again when the call before it takes 10 ms, has its place in line, and stays there")
    func slow() {
        var (bench, waiting) = crowded(by: 20)
        for _ in 0..<2 { bench.release(1) }
        #expect(bench.takeGiven() == Array(waiting[..<4]))
        bench.pass(.milliseconds(9))
        #expect(bench.takeSeen().isEmpty)
        bench.pass(.milliseconds(1))
        #expect(bench.takeSeen() == [.recall(1)])
        for call in waiting[2..<4] {
            bench.note(bench.state.returned(1))
            bench.note(bench.state.waitAgain(call, lane: 0, after: .zero, now: bench.now))
        }
        #expect(bench.state.ahead == 0)
        bench.release(2)
        bench.release(2)
        // The last one goes ahead, since the one before was short.
        #expect(bench.takeGiven() == Array(waiting[2..<5]))
    }

    @Test("counts as one that waits")
    func waits() {
        var (bench, _) = crowded(by: 10) { _, limits in limits.waiting = 10 }
        for _ in 0..<2 { bench.release(1) }
        #expect(bench.state.ahead == 2)
        _ = bench.takeSeen()
        var accepted = 0
        while bench.failures().isEmpty {
            _ = bench.call()
            accepted += 1
        }
        #expect(accepted == 4 + 1, "as many as have begun, and one that is turned away")
        #expect(bench.state.room(bench.now, slots: 9) == 0)
        #expect(bench.snapshot.waiting == 10)
        #expect(bench.snapshot.running == 2)
    }

    @Test("is none of those that a worker may not run any more")
    func retirement() {
        var (bench, _) = crowded(by: 40) { policy, _ in policy.retireInvocations = 10 }
        var most = 0
        for _ in 0..<20 where bench.worker(1)?.state == "busy" {
            bench.release(1)
            most = max(most, bench.state.ahead)
        }
        #expect(most == 3)
        #expect(bench.worker(1)?.state == "stopping")
        #expect(bench.worker(1)?.invocations == 10)
    }

    @Test("is given once at a time, and in the end, whatever comes between", arguments: 0..<40)
    func random(_: Int) {
        var bench = PoolBench(lanes: 2) { policy, limits in
            (policy.max, policy.retireInvocations, limits.waiting) = (3, 50, 200)
        }
        var random = SystemRandomNumberGenerator()
        // What each worker holds, the first of which it runs.
        var held: [Int: [UInt64]] = [:]
        var waiting: Set<UInt64> = []
        var turn = 0

        func settle() {
            while !bench.seen.isEmpty {
                for action in bench.takeSeen() {
                    switch action {
                    case .start(let worker, _, _): bench.ready(worker, ahead: 3)
                    case .give(let worker, let waiter):
                        #expect(waiting.remove(waiter) != nil, "given twice")
                        held[worker, default: []].append(waiter)
                    case .recall(let worker):
                        // It may have begun one more by then.
                        let begun = 1 + (Bool.random(using: &random) ? 1 : 0)
                        let back = held[worker, default: []].dropFirst(begun)
                        held[worker]?.removeLast(back.count)
                        for waiter in back {
                            bench.note(bench.state.returned(worker))
                            waiting.insert(waiter)
                            bench.note(bench.state.waitAgain(waiter, lane: turn % 2, after: .zero, now: bench.now))
                        }
                    case .stop(let worker, _):
                        #expect(held[worker, default: []].isEmpty)
                        bench.exits(worker)
                    case .fail(let waiter, let failure):
                        Issue.record("\(failure)")
                        waiting.remove(waiter)
                    default: break
                    }
                }
            }
            #expect(bench.state.ahead == held.values.reduce(0) { $0 + max(0, $1.count - 1) })
            #expect(waiting.isEmpty || !bench.snapshot.workers.contains { $0.state == "idle" })
        }
        func come() {
            turn += 1
            let (worker, waiter) = bench.call(lane: turn % 2)
            if let worker { held[worker, default: []].append(waiter) } else { waiting.insert(waiter) }
            settle()
        }
        func end(_ worker: Int) {
            held[worker]?.removeFirst()
            bench.release(worker)
            settle()
        }

        for _ in 0..<600 {
            let busy = held.keys.filter { held[$0]?.isEmpty == false }.sorted()
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<9 where waiting.count < 60: come()
            case 9..<19 where !busy.isEmpty: end(busy[Int.random(in: 0..<busy.count, using: &random)])
            case 19:
                bench.pass(.milliseconds(Int.random(in: 1...15, using: &random)))
                settle()
            default: break
            }
        }
        while let worker = held.keys.sorted().first(where: { held[$0]?.isEmpty == false }) { end(worker) }
        #expect(waiting.isEmpty)
        #expect(bench.state.ahead == 0)
    }
}

extension PoolBench {
    fileprivate var snapshot: PoolSnapshot { state.snapshot(now) { Int32($0) } }

    fileprivate func worker(_ id: Int) -> PoolSnapshot.WorkerSnapshot? {
        snapshot.workers.first { $0.pid == Int32(id) }
    }
}
