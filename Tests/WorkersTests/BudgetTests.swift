import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite("The budget of workers", .serialized)
struct BudgetTests {
    @Test("grants what is free, and keeps the rest of the question")
    func free() {
        var budget = BudgetState<String>(limit: 3)
        #expect(budget.request(2, for: "a") == 2)
        #expect(budget.request(2, for: "b") == 1)
        #expect(budget.wanted == 1)
        #expect(budget.release(from: "a") == "b")
        #expect(budget.wanted == 0)
        #expect(budget.release(from: "a") == nil)
    }

    @Test("gives a slot to the pool that has the fewest, the first that asked among equals")
    func fewest() {
        var budget = BudgetState<String>(limit: 5)
        _ = budget.request(4, for: "rich")
        _ = budget.request(1, for: "poor")
        _ = budget.request(1, for: "rich")
        _ = budget.request(1, for: "poor")
        _ = budget.request(1, for: "first")
        _ = budget.request(1, for: "second")
        #expect(budget.release(from: "rich") == "first")
        #expect(budget.release(from: "rich") == "second")
    }

    @Test("forgets a question that was taken back")
    func withdrawn() {
        var budget = BudgetState<String>(limit: 1)
        _ = budget.request(1, for: "a")
        _ = budget.request(1, for: "b")
        budget.withdraw(1, for: "b")
        #expect(budget.release(from: "a") == nil)
        #expect(budget.request(1, for: "c") == 1)
    }

    @Test("presses a pool that has more than its share, and every idle one, only while others wait")
    func pressure() {
        var budget = BudgetState<String>(limit: 4)
        _ = budget.request(3, for: "rich")
        _ = budget.request(1, for: "poor")
        #expect(budget.pressure(on: "rich") == .none)
        _ = budget.request(1, for: "poor")
        #expect(budget.pressure(on: "rich") == .surplus)
        #expect(budget.pressure(on: "poor") == .none)
        budget.surrenders()
        #expect(budget.pressure(on: "rich") == .none)
        #expect(budget.release(from: "rich") == "poor")
        _ = budget.request(1, for: "poor")
        #expect(budget.pressure(on: "rich") == .idle)
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
}
