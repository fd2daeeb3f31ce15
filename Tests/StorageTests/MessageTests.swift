import Events
import Storage
import Testing

@Suite("Messages commit with the effects of who sent them")
struct MessageTests {
    private func effects(_ messages: NewInvocation...) -> Effects {
        var effects = Effects(namespace: "n")
        effects.messages = messages
        return effects
    }

    @Test("in one transaction with the writes, and not at all when what was read has changed")
    func together() async throws {
        try await withStore { store, _ in
            var both = effects(.sample("1"), .sample("2", function: "g"))
            both.writes.append(Effects.KeyWrite("k", .set([1])))
            #expect(try await store.commit(Commit(effects: both)) == .committed)
            #expect(try store.value("k", in: "n")?.value == [1])
            var stale = effects(.sample("3"))
            stale.reads = [.init(key: "k", version: 0)]
            #expect(try await store.commit(Commit(effects: stale)) == .conflicted)
            let counts = try await store.queueCounts()
            #expect(counts["f"]?.waiting == 1 && counts["g"]?.waiting == 1)
        }
    }

    @Test("with the settlement of the event that was handled, and not when another has it now")
    func settled() async throws {
        try await withStore { store, _ in
            _ = try await store.enqueue([.sample("1")])
            let leased = try #require(try await store.lease(function: "f", limit: 1, now: .now()).first)
            let sent = effects(.sample("2", function: "g"))
            #expect(try await store.commit(Commit(effects: sent, settle: (leased.lease, .done))) == .committed)
            let late = Commit(effects: effects(.sample("3", function: "g")), settle: (leased.lease, .done))
            #expect(try await store.commit(late) == .leaseLost)
            let counts = try await store.queueCounts()
            #expect(counts["f"]?.done == 1 && counts["g"]?.enqueued == 1)
        }
    }

    @Test("are kept until they are due, and their time for retries begins then")
    func delayed() async throws {
        try await withStore { store, _ in
            let now = WallTime.now()
            let due = now.advanced(by: .seconds(3600))
            _ = try await store.commit(Commit(effects: effects(.sample("1", due: due))))
            #expect(try await store.lease(function: "f", limit: 1, now: now).isEmpty)
            #expect(try await store.nextDue() == ["f": due])
            let leased = try await store.lease(function: "f", limit: 1, now: due)
            #expect(leased.map(\.since) == [due])
        }
    }

    @Test("with an id that the same source has used before are known already")
    func duplicates() async throws {
        try await withStore { store, _ in
            for _ in 0..<2 { _ = try await store.commit(Commit(effects: effects(.sample("1")))) }
            #expect(try await store.queueCounts()["f"]?.enqueued == 1)
        }
    }
}
