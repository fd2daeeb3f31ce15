import Apus
import ApusJSON
import ApusTesting
import Support
import Testing
import Wire

/// Keeps a copy of what it is told.
private struct Mirror: StateFunction {
    struct Item: Codable { var count: Int }

    func follow(_ change: StateEvent, in context: Context) async throws {
        if change.key.hasPrefix("json/") {
            let item: Item? = try change.decode()
            try await context.state.set("count", "\(item?.count ?? 0)")
        } else if let value = change.value {
            try await context.state.set("copy/" + change.key, value)
        } else {
            try await context.state.delete("copy/" + change.key)
        }
        let previous = change.previousVersion.map(String.init) ?? "new"
        try await context.state.set("last", "\(change.namespace) \(change.id) \(previous)")
    }
}

@Suite("Functions that follow state", .timeLimit(.minutes(2)))
struct StateFunctionTests {
    @Test("get the key, the value and the versions of a change")
    func delivered() async throws {
        let host = TestHost(Mirror())
        try await host.deliverChange(of: "a/b", to: "x", in: "shop", version: 7)
        #expect(host.state == ["copy/a/b": "x", "last": "shop a/b@7 new"])
        try await host.deliverChange(of: "a/b", to: "", in: "shop", version: 8, previous: 7)
        #expect(host.state == ["copy/a/b": "", "last": "shop a/b@8 7"])
        try await host.deliverChange(of: "a/b", to: nil, in: "shop", version: 9, previous: 8)
        #expect(host.state == ["last": "shop a/b@9 8"])
    }

    @Test("decode values; one that does not fit is a permanent failure, one that was deleted is none")
    func json() async throws {
        let host = TestHost(Mirror())
        try await host.deliverChange(of: "json/1", to: #"{"count": 3}"#)
        #expect(host.state["count"] == "3")
        try await host.deliverChange(of: "json/1", to: nil)
        #expect(host.state["count"] == "0")
        let error = await #expect(throws: CallFailed.self) { try await host.deliverChange(of: "json/1", to: "{}") }
        #expect(error?.reason == .permanently)
        #expect(error?.description.contains("the value of 'json/1' in 'test' does not fit") == true)
    }

    @Test("say so in their first frame, and get a change as a call with the value in its body")
    func frames() async {
        let host = FakeHost { Mirror() }
        #expect(await host.greet()?.triggers == 0b10000 | Hello.canShare | Hello.canLookUp | Hello.canTakeAhead)
        let head = CallHead(
            kind: .state, invocation: WireID(high: 1, low: 2), attempt: 1, time: 10_000_000,
            attributes: [
                WireField("id", "k@5"), WireField("type", "apus.state.set"), WireField("source", "/state/n"),
                WireField("subject", "k"), WireField("version", "5"),
            ])
        host.send(
            Frame(call: 1, .call(head, body: .bytes([UInt8]("he".utf8)), end: false)),
            Frame(call: 1, .body(.bytes([UInt8]("llo".utf8)), end: true)))
        let copy = StateRequest.set(key: "copy/k", value: [UInt8]("hello".utf8))
        #expect(await host.next()?.message == .state(request: 0, scope: 0, copy))
        let last = StateRequest.set(key: "last", value: [UInt8]("n k@5 new".utf8))
        #expect(await host.next()?.message == .state(request: 0, scope: 0, last))
        #expect(await host.next()?.message == .acknowledge)
    }
}
