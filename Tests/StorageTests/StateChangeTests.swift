import Events
import Storage
import Testing

@Suite("Committed changes of followed keys")
struct StateChangeTests {
    private static let follower = StateFollowers.Follower(function: "f", trigger: "f/state/0")

    /// A store whose keys that begin with `a` are followed by `f`.
    private func withFollowed<Result>(_ body: (Store, String) async throws -> Result) async throws -> Result {
        try await withStore { store, folder in
            store.follow(Self.followers)
            return try await body(store, folder)
        }
    }

    private static let followers = StateFollowers([(namespace: "n", prefix: "a", follower: follower)])

    private func version(_ key: String, _ store: Store) async throws -> Int64? {
        try store.value(key, in: "n")?.version
    }

    /// Leases and ends all that is due; gives the events in that order.
    private func drain(_ store: Store) async throws -> [Event] {
        var events: [Event] = []
        while let leased = try await store.runOne(now: .now()) { events.append(leased.invocation.event) }
        return events
    }

    @Test("become events in the transaction of the commit")
    func set() async throws {
        try await withFollowed { store, _ in
            try await store.put("a1", "x")
            try await store.put("a1", "y")
            try await store.put("b", "z")
            try await store.put("a1", "other", in: "m")
            let counts = try await store.queueCounts()
            #expect(counts["f"]?.waiting == 2)
            let events = try await drain(store)
            let second = try #require(try await version("a1", store))
            #expect(events.map(\.data) == [Array("x".utf8), Array("y".utf8)])
            let event = try #require(events.last)
            #expect(event.id == "a1@\(second)" && event.source == "/state/n" && event.type == "apus.state.set")
            #expect(event.subject == "a1" && event.dataContentType == "application/octet-stream")
            let first = try #require(events[0].extensions["version"])
            #expect(event.extensions == ["version": "\(second)", "previous": first, "apusdepth": "1"])
            #expect(events[0].extensions["previous"] == nil)
        }
    }

    @Test("bring the sum of an increment, which is known only then")
    func increment() async throws {
        try await withFollowed { store, _ in
            for step: Int64 in [2, 3] { _ = try await store.commit(Commit(effects: .writing(["a": .increment(step)]))) }
            let events = try await drain(store)
            #expect(events.map { String(decoding: $0.data, as: UTF8.self) } == ["2", "5"])
        }
    }

    @Test("are deletes too, but not of what was not there")
    func delete() async throws {
        try await withFollowed { store, _ in
            try await store.put("a", "x")
            for _ in 0..<2 { _ = try await store.commit(Commit(effects: .writing(["a": .delete]))) }
            let events = try await drain(store)
            #expect(events.map(\.type) == ["apus.state.set", "apus.state.deleted"])
            let deleted = try #require(events.last)
            #expect(deleted.data.isEmpty && deleted.dataContentType == nil)
            #expect(deleted.extensions["previous"] == events[0].extensions["version"])
        }
    }

    @Test("reach each function that follows, and nobody once it does not")
    func followers() async throws {
        try await withFollowed { store, _ in
            let other = StateFollowers.Follower(function: "g", trigger: "g/state/0")
            store.follow(
                StateFollowers([
                    (namespace: "n", prefix: "", follower: other),
                    (namespace: "n", prefix: "a", follower: Self.follower),
                ]))
            try await store.put("a", "x")
            store.follow(StateFollowers())
            try await store.put("a", "y")
            #expect(try await store.queueCounts().mapValues(\.enqueued) == ["f": 1, "g": 1])
        }
    }

    @Test("are none when the commit conflicts, has lost its lease or cannot be applied")
    func notApplied() async throws {
        try await withFollowed { store, _ in
            var stale = Effects.writing(["a": .set([1])])
            stale.reads = [.init(key: "k", version: 7)]
            #expect(try await store.commit(Commit(effects: stale)) == .conflicted)
            let lease = Lease(invocation: InvocationID(), epoch: 1)
            let late = Commit(effects: .writing(["a": .set([1])]), settle: (lease, .done))
            #expect(try await store.commit(late) == .leaseLost)
            try await store.put("b", "no number")
            await #expect(throws: StateError.self) {
                _ = try await store.commit(Commit(effects: .writing(["a": .set([1]), "b": .increment(1)])))
            }
            #expect(try await store.queueCounts().isEmpty)
            #expect(try store.value("a", in: "n") == nil)
        }
    }

    @Test("of different keys are leased together, those of one key one after the other, in order")
    func order() async throws {
        try await withFollowed { store, _ in
            for number in 0..<3 { for key in ["a1", "a2"] { try await store.put(key, "\(number)") } }
            var seen: [String: [String]] = [:]
            for _ in 0..<3 {
                let leased = try await store.lease(function: "f", limit: 10, now: .now())
                #expect(Set(leased.compactMap(\.invocation.event.subject)) == ["a1", "a2"])
                for one in leased {
                    let event = one.invocation.event
                    seen[event.subject ?? "", default: []].append(String(decoding: event.data, as: UTF8.self))
                    _ = try await store.commit(Commit(effects: nil, settle: (one.lease, .done)))
                }
            }
            #expect(seen == ["a1": ["0", "1", "2"], "a2": ["0", "1", "2"]])
        }
    }

    @Test("wait behind one of their key that is tried again, also after a restart, and go on after its death")
    func retries() async throws {
        try await withFollowed { store, folder in
            try await store.put("a1", "first")
            try await store.put("a1", "second")
            try await store.put("a2", "other")
            let later = WallTime.now().advanced(by: .seconds(60))
            let retry = Settlement.retry(at: later, outcome: .failed, reason: "no")
            let first = try #require(try await store.runOne("f", retry, now: .now()))
            #expect(first.invocation.event.data == Array("first".utf8))
            try store.close()
            try await reopening(folder) { store in
                let now = try await store.lease(function: "f", limit: 10, now: .now())
                #expect(now.map(\.invocation.event.subject) == ["a2"])
                let again = try await store.lease(function: "f", limit: 10, now: later)
                #expect(again.map(\.invocation.event.data) == [Array("first".utf8)])
                let dead = Settlement.dead(outcome: .failed, reason: "no")
                _ = try await store.commit(Commit(effects: nil, settle: (again[0].lease, dead)))
                let next = try await store.lease(function: "f", limit: 10, now: .now())
                #expect(next.map(\.invocation.event.data) == [Array("second".utf8)])
            }
        }
    }

    @Test("at the end of a chain refuse the whole commit")
    func depth() async throws {
        try await withFollowed { store, _ async throws in
            func write(_ key: StateKey, depth: Int) -> Commit {
                var effects = Effects.writing([key: .set([1]), "c": .set([1])])
                effects.depth = depth
                return Commit(effects: effects)
            }
            _ = try await store.commit(write("a", depth: 15))
            #expect(try await drain(store).map { $0.extensions["apusdepth"] } == ["16"])
            let error = await #expect(throws: StateError.self) { try await store.commit(write("a2", depth: 16)) }
            #expect(error?.code == .chainTooLong)
            #expect(try store.value("a2", in: "n") == nil)
            #expect(try await store.commit(write("b", depth: 16)) == .committed)
        }
    }

    @Test("that find no room in the queue of a follower refuse the whole commit")
    func full() async throws {
        try await withFollowed { store, _ async throws in
            store.setBounds(["f": QueueBounds(waiting: 1)])
            try await store.put("a1", "x")
            await #expect(throws: QueueFull.self) {
                _ = try await store.commit(Commit(effects: .writing(["a2": .set([1]), "b": .set([1])])))
            }
            #expect(try store.value("a2", in: "n") == nil)
            #expect(try store.value("b", in: "n") == nil)
            try await store.put("b", "x")
            _ = try await drain(store)
            try await store.put("a2", "x")
            #expect(try await store.queueCounts()["f"]?.enqueued == 2)
        }
    }

    @Test("are bounded for one commit")
    func bound() async throws {
        try await withFollowed { store, _ async throws in
            func write(_ count: Int) -> Commit {
                Commit(
                    effects: .writing(
                        Dictionary(uniqueKeysWithValues: (0..<count).map { (StateKey("a\($0)"), .set([])) })))
            }
            let error = await #expect(throws: StateError.self) { try await store.commit(write(10_001)) }
            #expect(error?.code == .invalid)
            #expect(try await store.queueCounts().isEmpty)
        }
    }

    @Test("say beforehand whether the queue gets something")
    func enqueues() async throws {
        try await withFollowed { store, _ in
            #expect(store.enqueues(.writing(["b": .delete, "a": .increment(1)])))
            #expect(!store.enqueues(.writing(["b": .delete])))
            #expect(!store.enqueues(.writing(["a": .delete], in: "m")))
            #expect(!store.enqueues(.writing([:])))
        }
    }
}
