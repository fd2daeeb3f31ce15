import Events
import Storage
import Testing

@Suite("Exclusive invocations")
struct ExclusiveTests {
    private func line(_ events: String..., trigger: String? = nil) -> [NewInvocation] {
        events.map { .sample($0, trigger: trigger, exclusive: true) }
    }

    @Test("they run one after the other, in the order in which they came")
    func fifo() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue(line("3", "1", "2"))
            for expected in ["3", "1", "2"] {
                let leased = try await store.lease(function: "f", limit: 9, now: .at(0))
                #expect(leased.map(\.invocation.event.id) == [expected])
                #expect(try await store.lease(function: "f", limit: 9, now: .at(0)).isEmpty)
                #expect(try await store.nextDue() == [:])
                _ = try await store.commit(Commit(effects: nil, settle: (leased[0].lease, .done)))
            }
        }
    }

    @Test("triggers do not wait for one another")
    func perTrigger() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue(line("a1", "a2", trigger: "a") + line("b1", "b2", trigger: "b"))
            let leased = try await store.lease(function: "f", limit: 9, now: .at(0))
            #expect(leased.map(\.invocation.event.id) == ["a1", "b1"])
        }
    }

    @Test("one that waits for its next attempt holds up those behind it")
    func retryHolds() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue(line("1", "2"))
            _ = try await store.runOne("f", .retry(at: .at(50), outcome: .failed, reason: "r"), now: .at(0))
            #expect(try await store.lease(function: "f", limit: 9, now: .at(49)).isEmpty)
            #expect(try await store.nextDue() == ["f": .at(50)])
            #expect(try await store.runOne("f", .dead(outcome: .failed, reason: "r"))?.invocation.event.id == "1")
            #expect(try await store.runOne()?.invocation.event.id == "2")
        }
    }

    @Test("one that was given back stays at the front")
    func givenBack() async throws {
        try await withStore { (store, folder) async throws in
            _ = try await store.enqueue(line("1", "2"))
            let first = try #require(try await store.lease(function: "f", limit: 9, now: .at(0)).first)
            try await store.giveBack([first.lease])
            #expect(try await store.lease(function: "f", limit: 9, now: .at(0)).map(\.invocation.event.id) == ["1"])
            try store.close()
            try await reopening(folder) { (store) async throws in
                let leased = try await store.lease(function: "f", limit: 9, now: .at(0))
                #expect(leased.map(\.invocation.event.id) == ["1"])
            }
        }
    }

    @Test("they wait for what runs of their trigger beside the line")
    func mixed() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([.sample("free")] + line("1", "2"))
            let free = try await store.lease(function: "f", limit: 9, now: .at(0))
            #expect(free.map(\.invocation.event.id) == ["free"])
            #expect(try await store.lease(function: "f", limit: 9, now: .at(0)).isEmpty)
            #expect(try await store.nextDue() == [:])
            _ = try await store.commit(Commit(effects: nil, settle: (free[0].lease, .done)))
            #expect(try await store.nextDue() == ["f": .at(0)])
            #expect(try await store.runOne()?.invocation.event.id == "1")
        }
    }
}
