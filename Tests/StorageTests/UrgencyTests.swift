import Events
import Storage
import Testing

@Suite("Urgency and due times")
struct UrgencyTests {
    @Test("the more urgent runs first, then what was due first, then what came first")
    func order() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([
                .sample("late", due: .at(5)), .sample("early", due: .at(1)), .sample("also early", due: .at(1)),
                .sample("background", due: .at(0), urgency: 7), .sample("urgent", due: .at(9), urgency: 0),
                .sample("not yet", due: .at(99), urgency: 0),
            ])
            let leased = try await store.lease(function: "f", limit: 4, now: .at(10))
            #expect(leased.map(\.invocation.event.id) == ["urgent", "early", "also early", "late"])
            #expect(leased.map(\.invocation.urgency) == [0, 3, 3, 3])
            #expect(try await store.nextDue() == ["f": .at(0)])
            #expect(try await store.runOne(now: .at(10))?.invocation.event.id == "background")
            #expect(try await store.nextDue() == ["f": .at(99)])
        }
    }

    @Test("a line keeps its order whatever its urgencies")
    func line() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([
                .sample("1", exclusive: true, urgency: 7), .sample("2", exclusive: true, urgency: 0),
            ])
            #expect(try await store.runOne()?.invocation.event.id == "1")
            #expect(try await store.runOne()?.invocation.event.id == "2")
        }
    }
}
