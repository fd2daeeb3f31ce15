import Events
import Storage
import Testing

@Suite("Dead letters")
struct DeadLetterTests {
    /// Lets `events` of `function` die one after the other.
    private func kill(_ events: [String], of function: String = "f", _ outcome: Outcome = .failed, in store: Store)
        async throws
    {
        for event in events {
            _ = try await store.enqueue([.sample(event, function: function, data: [1, 2])])
            _ = try await store.runOne(function, .dead(outcome: outcome, reason: "no \(event)"))
        }
    }

    private func events(_ store: Store, _ filter: DeadFilter = DeadFilter()) async throws -> [String] {
        try await store.dead(filter, limit: 99).map(\.event)
    }

    @Test("they are listed by function, outcome and age, with cause and attempts")
    func list() async throws {
        try await withStore { (store, _) async throws in
            try await kill(["1", "2"], in: store)
            try await kill(["3"], of: "g", .exhausted, in: store)
            #expect(try await events(store).sorted() == ["1", "2", "3"])
            #expect(try await events(store, DeadFilter(function: "g")) == ["3"])
            #expect(try await events(store, DeadFilter(outcome: .exhausted)) == ["3"])
            #expect(try await events(store, DeadFilter(before: .at(0))).isEmpty)
            let letter = try #require(try await store.dead(DeadFilter(function: "g"), limit: 1).first)
            #expect(letter.reason == "no 3" && letter.attempt == 1 && letter.outcome == .exhausted && letter.size == 2)
        }
    }

    @Test("one that is retried runs as if it had just come, with all its attempts and its data")
    func retry() async throws {
        try await withStore { (store, _) async throws in
            try await kill(["1"], in: store)
            let id = try #require(try await store.dead(DeadFilter(), limit: 1).first?.id)
            #expect(try await store.reviveDead(id))
            #expect(try await !store.reviveDead(id))
            let leased = try #require(try await store.lease(function: "f", limit: 1, now: .now()).first)
            #expect(leased.attempt == 1 && leased.invocation.event.data == [1, 2])
            #expect(leased.since > leased.invocation.event.time && leased.lease.epoch == 3)
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.dead == 0 && counts.running == 1 && counts.bytes == 2 && counts.enqueued == 1)
        }
    }

    @Test("many are retried, the oldest first, until the queue is full")
    func retryMany() async throws {
        try await withStore { (store, _) async throws in
            try await kill((1...5).map { "\($0)" }, in: store)
            try await kill(["6"], of: "f", .timedOut, in: store)
            store.setBounds(["f": QueueBounds(waiting: 3)])
            let revival = try await store.reviveDead(DeadFilter(function: "f", outcome: .failed))
            #expect(revival.count == 3 && revival.full?.function == "f")
            #expect(try await store.lease(function: "f", limit: 9, now: .now()).count == 3)
            #expect(try await events(store).count == 3)
            #expect(try await store.reviveDead(DeadFilter()).count == 3)
            #expect(try await events(store).isEmpty)
        }
    }

    @Test("one that is retried goes behind what is in its line now")
    func line() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([.sample("1", exclusive: true), .sample("2", exclusive: true)])
            _ = try await store.runOne("f", .dead(outcome: .failed, reason: ""))
            let id = try #require(try await store.dead(DeadFilter(), limit: 1).first?.id)
            #expect(try await store.reviveDead(id))
            #expect(try await store.lease(function: "f", limit: 9, now: .now()).map(\.invocation.event.id) == ["2"])
        }
    }

    @Test("dropped ones are done with the outcome that they had, and their data is gone")
    func drop() async throws {
        try await withStore { (store, _) async throws in
            try await kill((1...4).map { "\($0)" }, in: store)
            let id = try #require(try await store.dead(DeadFilter(), limit: 1).first?.id)
            #expect(try await store.dropDead(id))
            #expect(try await !store.dropDead(id))
            let record = try #require(try await store.record(of: id))
            #expect(record.state == .done && record.outcome == .failed && record.size == 0 && record.reason == "no 4")
            #expect(try await store.dropDead(DeadFilter()) == 3)
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.dead == 0 && counts.done == 4 && counts.enqueued == 4)
        }
    }
}
