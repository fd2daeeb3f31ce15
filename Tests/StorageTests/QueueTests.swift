import Events
import Storage
import Testing

@Suite("Queue")
struct QueueTests {
    @Test("an event comes out as it went in")
    func roundTrip() async throws {
        try await withStore { (store, _) async throws in
            var event = Event(
                id: "1", source: "/files/f", type: "apus.file.created", subject: "a b/ü.csv", time: .at(1),
                dataContentType: "application/json", extensions: ["attempt": "\"1\"", "x": "ü"], data: [0, 1, 255])
            let first = NewInvocation(function: "f", kind: .file, trigger: "f/file/0", event: event, due: .at(2))
            event.id = "2"
            event.subject = nil
            event.dataContentType = nil
            event.extensions = [:]
            event.data = []
            let second = NewInvocation(
                function: "f", kind: .timer, trigger: "f/timer/1", event: event, due: .at(3), line: "f/timer/1")
            #expect(try await store.enqueue([first, second]) == 2)
            let leased = try await store.lease(function: "f", limit: 9, now: .at(3))
            #expect(leased.map(\.invocation) == [first, second])
            #expect(leased.map(\.attempt) == [1, 1])
        }
    }

    @Test("a known event is skipped, of another function it is not")
    func deduplication() async throws {
        try await withStore { (store, _) async throws in
            #expect(try await store.enqueue([.sample("1"), .sample("1"), .sample("2")]) == 2)
            #expect(try await store.enqueue([.sample("1"), .sample("1", function: "g")]) == 1)
            #expect(try await store.runOne() != nil)
            #expect(try await store.enqueue([.sample("1")]) == 0)
        }
    }

    @Test("an id may come again after its row was pruned")
    func deduplicationEnds() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([.sample("1")])
            _ = try await store.runOne()
            #expect(try await store.prune(doneBefore: .at(0)) == 0)
            #expect(try await store.prune(doneBefore: .now().advanced(by: .seconds(60))) == 1)
            #expect(try await store.enqueue([.sample("1")]) == 1)
        }
    }

    @Test("what is due is leased, oldest first, up to the limit")
    func order() async throws {
        try await withStore { (store, _) async throws in
            let due: [Int64] = [30, 10, 20, 99]
            _ = try await store.enqueue(due.map { .sample("\($0)", due: .at($0)) })
            let first = try await store.lease(function: "f", limit: 2, now: .at(50))
            #expect(first.map(\.invocation.event.id) == ["10", "20"])
            let second = try await store.lease(function: "f", limit: 2, now: .at(50))
            #expect(second.map(\.invocation.event.id) == ["30"])
            #expect(try await store.lease(function: "f", limit: 2, now: .at(98)).isEmpty)
            #expect(try await store.lease(function: "g", limit: 2, now: .at(500)).isEmpty)
            #expect(try await store.nextDue() == ["f": .at(99)])
        }
    }

    @Test("a settled lease is lost, and so is one that was taken over")
    func epochs() async throws {
        try await withStore { (store, folder) async throws in
            _ = try await store.enqueue([.sample("1")])
            let first = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
            try await store.giveBack([first.lease])
            let second = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
            #expect(second.lease.epoch > first.lease.epoch)
            #expect(second.attempt == 1)
            let effects = Effects.writing(["k": .set([1])])
            #expect(try await store.commit(Commit(effects: effects, settle: (first.lease, .done))) == .leaseLost)
            #expect(try store.value("k", in: "n") == nil)
            #expect(try await store.commit(Commit(effects: effects, settle: (second.lease, .done))) == .committed)
            #expect(try store.value("k", in: "n") != nil)
            #expect(try await store.commit(Commit(effects: nil, settle: (second.lease, .done))) == .leaseLost)
            try await store.giveBack([second.lease])
            #expect(try await store.queueCounts()["f"]?.done == 1)
        }
    }

    @Test("a conflict settles nothing")
    func conflictKeepsLease() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([.sample("1")])
            let leased = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
            var effects = Effects.writing(["k": .set([1])])
            effects.reads = [.init(key: "k", version: 77)]
            #expect(try await store.commit(Commit(effects: effects, settle: (leased.lease, .done))) == .conflicted)
            #expect(try await store.queueCounts()["f"]?.running == 1)
        }
    }

    @Test("a retry waits until it is due and keeps what happened")
    func retry() async throws {
        try await withStore { (store, _) async throws in
            _ = try await store.enqueue([.sample("1")])
            _ = try await store.runOne("f", .retry(at: .at(60), outcome: .timedOut, reason: "slow"), now: .at(0))
            #expect(try await store.lease(function: "f", limit: 1, now: .at(59)).isEmpty)
            #expect(try await store.nextDue() == ["f": .at(60)])
            let record = try #require(try await store.recent(function: "f", state: .waiting, limit: 1).first)
            #expect(record.outcome == .timedOut && record.reason == "slow" && record.attempt == 1)
            let leased = try await store.runOne("f", .dead(outcome: .exhausted, reason: "too often"), now: .at(60))
            #expect(leased?.attempt == 2)
            let dead = try #require(try await store.recent(function: nil, state: .dead, limit: 1).first)
            #expect(dead.outcome == .exhausted && dead.reason == "too often" && dead.ended != nil)
            #expect(try await store.nextDue() == [:])
        }
    }

    @Test("what ran when the host died is waiting again, and the attempt counts")
    func hostDied() async throws {
        try await withStore { (store, folder) async throws in
            _ = try await store.enqueue([.sample("1")])
            let lost = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
            try store.close()
            try await reopening(folder) { (store) async throws in
                #expect(try await store.commit(Commit(effects: nil, settle: (lost.lease, .done))) == .leaseLost)
                let again = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
                #expect(again.attempt == 2 && again.lease.epoch > lost.lease.epoch)
            }
        }
    }

    @Test("the newest come first, of one function or of all")
    func recent() async throws {
        try await withStore { (store, _) async throws in
            for index in 0..<6 {
                _ = try await store.enqueue([.sample("\(index)", function: index % 2 == 0 ? "f" : "g")])
            }
            _ = try await store.runOne("g")
            let all = try await store.recent(function: nil, state: nil, limit: 4)
            #expect(all.map(\.function) == ["g", "f", "g", "f"])
            #expect(try await store.recent(function: "g", state: .done, limit: 9).count == 1)
            #expect(try await store.recent(function: "g", state: nil, limit: 9).count == 3)
            #expect(try await store.recent(function: "h", state: nil, limit: 9).isEmpty)
        }
    }
}
