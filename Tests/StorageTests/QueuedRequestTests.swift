import Events
import GRDB
import Storage
import Testing

@Suite("Queued requests and their results")
struct QueuedRequestTests {
    private static let head = RequestHead(
        method: "POST", path: "/orders/%C3%BC", query: "a=\"b\"&c", parameters: [HeaderField("id", "ü\n\u{1}")],
        headers: [HeaderField("X-A", "1"), HeaderField("x-a", "2\t\\")], remoteAddress: "[::1]:80")

    static func request(_ id: InvocationID = InvocationID(), body: [UInt8] = [1, 0, 255]) -> NewInvocation {
        let event = Event(
            id: id.description, source: "/functions/f/requests", type: "apus.http.request", time: .at(1), data: body)
        return NewInvocation(
            id: id, function: "f", kind: .http, trigger: "f/http/0", event: event, request: head, due: .at(0),
            urgency: 1, mayRepeat: false)
    }

    @Test("a request comes out as it went in")
    func roundTrip() async throws {
        try await withStore { (store, _) async throws in
            let request = Self.request()
            #expect(try await store.enqueue([request]) == 1)
            #expect(try await store.lease(function: "f", limit: 1, now: .at(1)).map(\.invocation) == [request])
        }
    }

    @Test("a request whose row is damaged is an error, and goes back to the queue")
    func damaged() async throws {
        try await withStore { (store, folder) async throws in
            _ = try await store.enqueue([Self.request()])
            let file = try DatabaseQueue(path: folder + "/apus.db")
            for column in [
                #"{"method":1}"#, #"{"method":"GET"}"#, #"{"other":""}"#, #"{"path":"\ud800"}"#, "{} x", "[",
            ] {
                try await file.write { try $0.execute(sql: "UPDATE invocation SET request = ?", arguments: [column]) }
                let error = await #expect(throws: StorageError.self) {
                    try await store.lease(function: "f", limit: 1, now: .at(1))
                }
                #expect(error?.code == .damaged)
                let counts = try #require(try await store.queueCounts()["f"])
                #expect(counts.waiting == 1 && counts.running == 0)
            }
            try file.close()
        }
    }

    @Test("the result is there when it is done, as it was answered, and goes with its row")
    func result() async throws {
        try await withStore { (store, _) async throws in
            let id = InvocationID()
            _ = try await store.enqueue([Self.request(id)])
            #expect(try await store.result(of: id) == nil)
            let result = InvocationResult(
                status: 201, headers: [HeaderField("Location", "/x"), HeaderField("A", "\"")], body: [0, 1], isCut: true
            )
            _ = try await store.runOne("f", .done(result: result))
            #expect(try await store.result(of: id) == result)
            let record = try #require(try await store.record(of: id))
            #expect(record.state == .done && record.outcome == .succeeded && record.attempt == 1 && record.size == 0)
            #expect(record.resultExpires.map { $0 > .now() } == true && record.urgency == 1 && record.kind == .http)
            #expect(try await store.prune(doneBefore: .now().advanced(by: .seconds(60))) == 1)
            #expect(try await store.record(of: id) == nil)
            #expect(try await store.result(of: id) == nil)
        }
    }

    @Test("one that waits is cancelled and never runs; what is behind it in its line goes on")
    func cancelWaiting() async throws {
        try await withStore { (store, _) async throws in
            let first = NewInvocation.sample("1", exclusive: true)
            _ = try await store.enqueue([first, .sample("2", exclusive: true)])
            #expect(try await store.cancel(first.id, reason: "asked for") == .waiting)
            #expect(try await store.cancel(first.id, reason: "again") == .ended(.done))
            #expect(try await store.cancel(InvocationID(), reason: "") == .unknown)
            let record = try #require(try await store.record(of: first.id))
            #expect(record.outcome == .cancelled && record.reason == "asked for" && record.state == .done)
            #expect(try await store.runOne()?.invocation.event.id == "2")
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.done == 2 && counts.waiting == 0 && counts.bytes == 0)
        }
    }

    @Test("one that runs is cancelled, and its attempt applies nothing any more")
    func cancelRunning() async throws {
        try await withStore { (store, _) async throws in
            let new = NewInvocation.sample("1")
            _ = try await store.enqueue([new])
            let leased = try #require(try await store.lease(function: "f", limit: 1, now: .at(0)).first)
            #expect(try await store.cancel(new.id, reason: "asked for") == .running)
            let late = Commit(effects: .writing(["k": .set([1])]), settle: (leased.lease, .done))
            #expect(try await store.commit(late) == .leaseLost)
            try await store.giveBack([leased.lease])
            #expect(try await store.text("k") == nil)
            #expect(try await store.queueCounts()["f"]?.done == 1)
            #expect(try await store.lease(function: "f", limit: 1, now: .at(99)).isEmpty)
        }
    }
}
