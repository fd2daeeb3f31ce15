import Events
import Storage
import Testing

@Suite("Queue counts")
struct QueueCountTests {
    /// What may happen to a queue.
    enum Step: CaseIterable {
        case enqueue, repeated, lease, giveBack, done, retry, dead, prune, lateSettle, cancel, revive, drop
    }

    @Test("they match a model after any operation, and survive pruning and a restart", arguments: 1...4)
    func invariant(_ seed: UInt64) async throws {
        try await withStore { (store, folder) async throws in
            var model = Model(random: SplitMix(state: seed))
            for _ in 0..<150 {
                try await model.step(store)
                let counts = try await store.queueCounts()
                #expect(counts == model.counts)
                #expect(counts.values.allSatisfy { $0.enqueued == $0.waiting + $0.running + $0.done + $0.dead })
            }
            try store.close()
            model.restart()
            try await reopening(folder) { (store) async throws in
                #expect(try await store.queueCounts() == model.counts)
            }
        }
    }
}

private struct Model {
    var random: SplitMix
    var counts: [String: QueueCounts] = [:]
    var running: [LeasedInvocation] = []
    var settled: [LeasedInvocation] = []
    var events = 0
    var pruned = 0

    mutating func step(_ store: Store) async throws {
        switch QueueCountTests.Step.allCases.randomElement(using: &random) {
        case .enqueue: try await enqueue(store)
        case .repeated: #expect(try await store.enqueue(events == 0 || pruned > 0 ? [] : [event(1)]) == 0)
        case .lease: try await lease(store)
        case .giveBack: try await giveBack(store)
        case .done: try await settle(.done, store) { $0.done += 1 }
        case .retry:
            try await settle(.retry(at: .at(0), outcome: .failed, reason: ""), store) { $0.waiting += 1 }
        case .dead: try await settle(.dead(outcome: .failed, reason: ""), store) { $0.dead += 1 }
        case .prune: try await prune(store)
        case .lateSettle:
            guard let late = settled.last else { return }
            #expect(try await store.commit(Commit(effects: nil, settle: (late.lease, .done))) == .leaseLost)
        case .cancel: try await cancel(store)
        case .revive: try await takeDead(store, to: \.waiting) { try await store.reviveDead($0) }
        case .drop: try await takeDead(store, to: \.done) { try await store.dropDead($0) }
        case nil: break
        }
    }

    private mutating func cancel(_ store: Store) async throws {
        guard let victim = running.popLast() else { return }
        #expect(try await store.cancel(victim.invocation.id, reason: "") == .running)
        settled.append(victim)
        counts[victim.invocation.function]?.running -= 1
        counts[victim.invocation.function]?.done += 1
    }

    private mutating func takeDead(
        _ store: Store, to state: WritableKeyPath<QueueCounts, Int>, _ take: (InvocationID) async throws -> Bool
    ) async throws {
        guard let letter = try await store.dead(DeadFilter(), limit: 1).first else { return }
        #expect(try await take(letter.id))
        counts[letter.function]?.dead -= 1
        counts[letter.function]?[keyPath: state] += 1
    }

    private func event(_ number: Int) -> NewInvocation {
        let function = number % 2 == 0 ? "even" : "odd"
        return .sample("\(number)", function: function, exclusive: number % 3 == 0)
    }

    private mutating func enqueue(_ store: Store) async throws {
        let new = (1...3).map { event(events + $0) }
        events += 3
        for invocation in new {
            counts[invocation.function, default: QueueCounts()].enqueued += 1
            counts[invocation.function]?.waiting += 1
        }
        #expect(try await store.enqueue(new) == 3)
    }

    private mutating func lease(_ store: Store) async throws {
        let function = Bool.random(using: &random) ? "even" : "odd"
        let leased = try await store.lease(
            function: function, limit: Int.random(in: 1...3, using: &random), now: .at(9))
        running += leased
        counts[function]?.waiting -= leased.count
        counts[function]?.running += leased.count
    }

    private mutating func giveBack(_ store: Store) async throws {
        guard let last = running.popLast() else { return }
        try await store.giveBack([last.lease])
        counts[last.invocation.function]?.running -= 1
        counts[last.invocation.function]?.waiting += 1
    }

    private mutating func settle(
        _ settlement: Settlement, _ store: Store, _ count: (inout QueueCounts) -> Void
    ) async throws {
        guard let last = running.popLast() else { return }
        #expect(try await store.commit(Commit(effects: nil, settle: (last.lease, settlement))) == .committed)
        settled.append(last)
        let function = last.invocation.function
        counts[function]?.running -= 1
        count(&counts[function, default: QueueCounts()])
    }

    private mutating func prune(_ store: Store) async throws {
        let removed = try await store.prune(doneBefore: .now().advanced(by: .seconds(60)))
        #expect(removed == counts.values.reduce(0) { $0 + $1.done } - pruned)
        pruned += removed
    }

    mutating func restart() {
        for leased in running {
            counts[leased.invocation.function]?.running -= 1
            counts[leased.invocation.function]?.waiting += 1
        }
    }
}
