import Events
import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite("The budget of workers", .serialized)
struct BudgetTests {
    private static let start = SteadyTime(nanoseconds: 1_000_000_000)

    @Test("grants what is free, and keeps the rest of the question")
    func free() {
        var budget = BudgetState<String>(limit: 3)
        #expect(budget.request(2, for: "a", now: Self.start) == 2)
        #expect(budget.request(2, for: "b", now: Self.start) == 1)
        #expect(budget.wanted == 1)
        #expect(budget.release(from: "a", now: Self.start) == "b")
        #expect(budget.wanted == 0)
        #expect(budget.release(from: "a", now: Self.start) == nil)
    }

    @Test("gives a slot to the pool that has the fewest, the first that asked among equals")
    func fewest() {
        var budget = BudgetState<String>(limit: 5)
        _ = budget.request(4, for: "rich", now: Self.start)
        _ = budget.request(1, for: "poor", now: Self.start)
        _ = budget.request(1, for: "rich", now: Self.start)
        _ = budget.request(1, for: "poor", now: Self.start)
        _ = budget.request(1, for: "first", now: Self.start)
        _ = budget.request(1, for: "second", now: Self.start)
        #expect(budget.release(from: "rich", now: Self.start) == "first")
        #expect(budget.release(from: "rich", now: Self.start) == "second")
    }

    @Test("forgets a question that was taken back")
    func withdrawn() {
        var budget = BudgetState<String>(limit: 1)
        _ = budget.request(1, for: "a", now: Self.start)
        _ = budget.request(1, for: "b", now: Self.start)
        budget.withdraw(1, for: "b")
        #expect(budget.release(from: "a", now: Self.start) == nil)
        #expect(budget.request(1, for: "c", now: Self.start) == 1)
    }

    @Test("presses a pool that has more than its share, and every idle one, only while others wait")
    func pressure() {
        var budget = BudgetState<String>(limit: 4)
        _ = budget.request(3, for: "rich", now: Self.start)
        _ = budget.request(1, for: "poor", now: Self.start)
        #expect(budget.pressure(on: "rich", now: Self.start) == .none)
        _ = budget.request(1, for: "poor", now: Self.start)
        #expect(budget.pressure(on: "rich", now: Self.start) == .surplus)
        #expect(budget.pressure(on: "poor", now: Self.start) == .none)
        budget.surrenders("rich")
        #expect(budget.pressure(on: "rich", now: Self.start) == .none)
        #expect(budget.release(from: "rich", wasSurrendered: true, now: Self.start) == "poor")
        _ = budget.request(1, for: "poor", now: Self.start)
        #expect(budget.pressure(on: "rich", now: Self.start) == .idle)
    }

    @Test("presses pools that have one each when another has had none for a while")
    func turn() {
        var budget = BudgetState<String>(limit: 2)
        _ = budget.request(2, for: "first", now: Self.start)
        #expect(budget.release(from: "first", now: Self.start) == nil)
        _ = budget.request(1, for: "second", now: Self.start)
        _ = budget.request(1, for: "none", now: Self.start)
        let (before, then) = (Self.start + .milliseconds(249), Self.start + .milliseconds(250))
        #expect(budget.pressure(on: "first", now: before) == .idle)
        #expect(budget.pressure(on: "first", now: then) == .turn)
        #expect(budget.pressure(on: "second", now: then) == .turn)
        #expect(budget.pressure(on: "none", now: then) == .none)
        budget.surrenders("first")
        #expect(budget.pressure(on: "second", now: then) == .none)
        budget.keeps("first")
        #expect(budget.pressure(on: "second", now: then) == .turn)
        budget.surrenders("second")
        _ = budget.request(1, for: "second", now: then)
        #expect(budget.release(from: "second", wasSurrendered: true, now: then) == "none")
        #expect(budget.pressure(on: "first", now: then) == .idle, "another waits since now")
    }

    @Test("presses one pool for each that has none, however many workers that wants")
    func onePool() {
        var budget = BudgetState<String>(limit: 3)
        for pool in ["first", "second", "third"] { _ = budget.request(1, for: pool, now: Self.start) }
        _ = budget.request(4, for: "none", now: Self.start)
        let then = Self.start + .seconds(1)
        #expect(budget.pressure(on: "first", now: then) == .turn)
        budget.surrenders("first")
        #expect(budget.pressure(on: "second", now: then) == .idle)
        _ = budget.release(from: "third", now: then)
        #expect(budget.pressure(on: "second", now: then) == .idle, "it is not the one that was asked to stop")
    }

    @Test("presses a pool that has more for no more slots than those want that have fewer, whoever else wants some")
    func fewWanted() {
        var budget = BudgetState<String>(limit: 14)
        _ = budget.request(16, for: "rich", now: Self.start)
        #expect(budget.pressure(on: "rich", now: Self.start) == .none)
        _ = budget.request(1, for: "poor", now: Self.start)
        #expect(budget.pressure(on: "rich", now: Self.start) == .surplus)
        budget.surrenders("rich")
        #expect(budget.pressure(on: "rich", now: Self.start) == .idle)

        budget = BudgetState<String>(limit: 14)
        _ = budget.request(7, for: "rich", now: Self.start)
        _ = budget.request(12, for: "equal", now: Self.start)
        _ = budget.request(1, for: "poor", now: Self.start)
        #expect(budget.pressure(on: "rich", now: Self.start) == .surplus)
        budget.surrenders("rich")
        #expect(budget.pressure(on: "rich", now: Self.start) == .idle)
        #expect(budget.pressure(on: "equal", now: Self.start) == .idle)
    }

    @Test("presses a pool that has more until both have the same")
    func half() {
        var budget = BudgetState<String>(limit: 9)
        _ = budget.request(8, for: "rich", now: Self.start)
        _ = budget.request(8, for: "poor", now: Self.start)
        var given = 0
        while budget.pressure(on: "rich", now: Self.start) == .surplus {
            budget.surrenders("rich")
            given += 1
        }
        #expect(given == 3)
        for _ in 0..<given {
            #expect(budget.release(from: "rich", wasSurrendered: true, now: Self.start) == "poor")
        }
        #expect(budget.pressure(on: "rich", now: Self.start) == .idle)
    }

    @Test("counts on a slot until it is free, whichever other of the pool comes before")
    func otherSlot() {
        var budget = BudgetState<String>(limit: 2)
        _ = budget.request(2, for: "rich", now: Self.start)
        budget.surrenders("rich")
        for pool in ["first", "second"] { _ = budget.request(1, for: pool, now: Self.start) }
        #expect(budget.uncovered == 1)
        #expect(budget.release(from: "rich", now: Self.start) == "first")
        #expect(budget.uncovered == 0)
        #expect(budget.release(from: "rich", wasSurrendered: true, now: Self.start) == "second")
    }

    @Test("counts on no slot that was free before the pool had said that it would be", arguments: [1, 2])
    func freeBefore(held: Int) {
        var budget = BudgetState<String>(limit: 2)
        _ = budget.request(held, for: "early", now: Self.start)
        _ = budget.request(2 - held, for: "other", now: Self.start)
        _ = budget.request(1, for: "first", now: Self.start)
        #expect(budget.release(from: "early", wasSurrendered: true, now: Self.start) == "first")
        budget.surrenders("early")
        _ = budget.request(1, for: "second", now: Self.start)
        #expect(budget.uncovered == 1)
        _ = budget.request(1, for: "early", now: Self.start)
        #expect(budget.uncovered == 2)
    }

    @Test("keeps a pool's turn when it asks for more")
    func keepsTurn() {
        var budget = BudgetState<String>(limit: 1)
        _ = budget.request(1, for: "one", now: Self.start)
        for pool in ["first", "second", "first"] { _ = budget.request(1, for: pool, now: Self.start) }
        #expect(budget.release(from: "one", now: Self.start) == "first")
    }

    @Test("lets a pool that has given a slot back wait for its next turn")
    func takesTurns() {
        var budget = BudgetState<String>(limit: 1)
        _ = budget.request(3, for: "first", now: Self.start)
        _ = budget.request(3, for: "second", now: Self.start)
        for pools in [("first", "second"), ("second", "first"), ("first", "second")] {
            #expect(budget.release(from: pools.0, now: Self.start) == pools.1)
        }
    }

    @Test("lets an idle pool give its worker to one that needs it", .timeLimit(.minutes(1)))
    func idlePool() async throws {
        let budget = WorkerBudget(limit: 1)
        try await World.with(Handlers.contractWorker(), budget: budget) { first in
            try await World.with(Handlers.contractWorker(), budget: budget) { second in
                for _ in 0..<3 {
                    _ = try await first.request("/pid")
                    _ = try await second.request("/pid")
                }
                #expect(first.pool.snapshot.started == 3)
            }
        }
    }

    @Test("lets a pool give up a worker that starts for nobody", .timeLimit(.minutes(1)))
    func lateStart() async throws {
        let budget = WorkerBudget(limit: 2)
        try await World.with(Handlers.contractWorker(.slowStart), budget: budget) { slow in
            try await World.with(Handlers.contractWorker(), budget: budget) { second in
                try await World.with(Handlers.contractWorker(), budget: budget) { third in
                    // Two workers start for it, whose callers have gone before they are there.
                    let calls = (0..<2).map { _ in Task { try await slow.request("/pid") } }
                    #expect(await eventually { slow.pool.snapshot.started == 2 })
                    for call in calls { call.cancel() }
                    async let one = second.request("/pid")
                    async let other = third.request("/pid")
                    _ = try await (one, other)
                }
            }
        }
    }

    @Test("lets two busy pools take turns", .timeLimit(.minutes(1)))
    func busyPools() async throws {
        let budget = WorkerBudget(limit: 2)
        try await World.with(Handlers.contractWorker(), budget: budget) { first in
            try await World.with(Handlers.contractWorker(), budget: budget) { second in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<40 {
                        group.addTask { _ = try await first.request("/sleep", query: "ms=20") }
                        group.addTask { _ = try await second.request("/sleep", query: "ms=20") }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test(
        "gives each of three pools a turn, for which there are two workers, none of them ever idle",
        .timeLimit(.minutes(2)), arguments: [(1, 2), (64, 2), (64, 100)])
    func threePools(concurrency: Int, milliseconds: Int) async throws {
        let budget = WorkerBudget(limit: 2)
        let manifest = Handlers.contractWorker {
            ($0.workers.concurrency, $0.limits.waiting) = (concurrency, 1000)
        }
        try await World.with(manifest, budget: budget) { first in
            try await World.with(manifest, budget: budget) { second in
                try await World.with(manifest, budget: budget) { third in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        let callers = [first, second].flatMap { Array(repeating: $0, count: 40) }
                        for caller in callers {
                            group.addTask {
                                while !Task.isCancelled {
                                    _ = try? await caller.request("/sleep", query: "ms=\(milliseconds)")
                                }
                            }
                        }
                        #expect(
                            await eventually { [first, second].allSatisfy { $0.pool.snapshot.running > 0 } })
                        for _ in 0..<(milliseconds > 50 ? 1 : 5) {
                            #expect(try await third.request("/pid").text() != "")
                        }
                        group.cancelAll()
                        try await group.waitForAll()
                    }
                }
            }
        }
    }
}
