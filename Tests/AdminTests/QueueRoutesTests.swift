import Admin
import Events
import Foundation
import Storage
import Testing

@Suite("The admin API's queue")
struct QueueRoutesTests {
    private func event(_ id: String) -> NewInvocation {
        let event = Event(id: id, source: "/s", type: "t", time: .now())
        return NewInvocation(function: "f", kind: .topic, trigger: "f/topic/0", event: event, due: .now())
    }

    private func run(_ new: NewInvocation, _ settlement: Settlement, in world: AdminWorld) async throws {
        _ = try await world.store.enqueue([new])
        let leased = try await world.store.lease(function: "f", limit: 1, now: .now().advanced(by: .seconds(1)))
        for one in leased {
            _ = try await world.store.commit(Commit(effects: nil, settle: (one.lease, settlement)))
        }
    }

    @Test("an invocation is shown with its outcome, and its result as it was answered")
    func invocation() async throws {
        try await AdminWorld.with { world async throws in
            let new = event("1")
            let result = InvocationResult(
                status: 201, headers: [HeaderField("X-A", "b")], body: Array("made".utf8), isCut: false)
            try await run(new, .done(result: result), in: world)
            let shown = try await world.send("GET", "/v1/invocations/\(new.id)")
            let document = try JSONDecoder().decode(InvocationDocument.self, from: Data(shown.body.utf8))
            #expect(document.state == "done" && document.outcome == "succeeded" && document.attempt == 1)
            #expect(document.priority == 3 && document.resultExpires != nil)
            let answer = try await world.send("GET", "/v1/invocations/\(new.id)/result")
            let stored = try JSONDecoder().decode(StoredResultDocument.self, from: Data(answer.body.utf8))
            #expect(stored.status == 201 && stored.body.text == "made" && stored.headers.first?.value == "b")
            #expect(try await world.send("GET", "/v1/invocations/\(InvocationID())").status == 404)
            #expect(try await world.send("GET", "/v1/invocations/nonsense").status == 400)
        }
    }

    @Test("one that waits is cancelled, and is so for whoever asks again; one that has ended otherwise is not")
    func cancel() async throws {
        try await AdminWorld.with { world async throws in
            let new = event("1")
            _ = try await world.store.enqueue([new])
            #expect(try await world.send("GET", "/v1/invocations/\(new.id)/result").body.contains("no-result"))
            #expect(try await world.send("DELETE", "/v1/invocations/\(new.id)").body == "{\"cancelled\":\"waiting\"}\n")
            #expect(try await world.send("DELETE", "/v1/invocations/\(new.id)").body == "{\"cancelled\":\"done\"}\n")
            let done = event("2")
            try await run(done, .done(result: nil), in: world)
            #expect(try await world.send("DELETE", "/v1/invocations/\(done.id)").status == 409)
            #expect(try await world.send("DELETE", "/v1/invocations/\(InvocationID())").status == 404)
        }
    }

    @Test("dead letters are listed, retried and dropped, one by one or by what they are")
    func dead() async throws {
        try await AdminWorld.with { world async throws in
            let letters = ["1", "2", "3"].map { event($0) }
            for letter in letters { try await run(letter, .dead(outcome: .failed, reason: "no"), in: world) }
            let list = try await world.send("GET", "/v1/dead?function=f&outcome=failed")
            let document = try JSONDecoder().decode(InvocationListDocument.self, from: Data(list.body.utf8))
            #expect(document.invocations.count == 3 && document.invocations.allSatisfy { $0.reason == "no" })
            #expect(try await world.send("POST", "/v1/dead/\(letters[0].id)/retry").body == "{\"count\":1}\n")
            #expect(try await world.send("POST", "/v1/dead/\(letters[0].id)/retry").status == 404)
            #expect(try await world.send("DELETE", "/v1/dead/\(letters[1].id)").status == 200)
            #expect(try await world.send("DELETE", "/v1/dead").status == 400)
            #expect(try await world.send("DELETE", "/v1/dead?outcome=odd").status == 400)
            #expect(try await world.send("DELETE", "/v1/dead?before=2020-01-01T00:00:00Z").body == "{\"count\":0}\n")
            #expect(try await world.send("POST", "/v1/dead/retry?all=true").body == "{\"count\":1}\n")
            let counts = try #require(try await world.store.queueCounts()["f"])
            #expect(counts.waiting == 2 && counts.done == 1 && counts.dead == 0)
        }
    }
}
