import Apus
import ApusJSON
import ApusTesting
import Support
import Testing
import Wire

/// Sends what it is asked to, and notes what it receives.
private struct Postman: HTTPFunction, MessageFunction {
    struct Order: Codable, Equatable { var id: Int }

    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        switch request.path {
        case "/text": try await context.send("hello", to: "greetings", after: .milliseconds(1500))
        case "/bytes": try await context.send([1, 2], to: "raw", attributes: ["subject": "s"])
        case "/at-once":
            try await context.state.immediately { state in
                try await state.set("sending", "yes")
                try await state.send("now", to: "greetings", attributes: ["id": "1"])
            }
            throw HTTPError(409, "no")
        case "/json": try await context.send(Order(id: 7), to: "orders")
        case "/abandoned":
            try await context.send("lost", to: "greetings")
            throw HTTPError(409, "no")
        default: throw HTTPError(404, "no")
        }
        return .empty()
    }

    func receive(_ message: MessageEvent, in context: Context) async throws {
        if message.target == "orders" {
            let order: Order = try message.decode()
            try await context.state.set("order", "\(order.id) \(message.contentType ?? "-")")
        } else {
            try await context.state.set(message.id, "\(message.text) \(message.subject ?? "-") \(message.source)")
        }
    }
}

@Suite("Messages", .timeLimit(.minutes(2)))
struct MessageTests {
    @Test("are shown to a test once their call has succeeded")
    func testHost() async throws {
        let host = TestHost(Postman())
        _ = try await host.get("/text")
        let sent = try #require(host.messages.first)
        #expect(host.messages.count == 1)
        #expect(sent.target == "greetings" && sent.text == "hello" && sent.delay == .milliseconds(1500))
        #expect(sent.attributes == ["datacontenttype": "text/plain; charset=utf-8"])
        _ = try await host.get("/json")
        #expect(host.messages.map(\.text) == [#"{"id":7}"#])
        #expect(host.messages.first?.attributes["datacontenttype"] == "application/json")
        #expect(try await host.get("/abandoned").status == 409)
        #expect(host.messages == [])
    }

    @Test("of a block of immediately are sent whatever becomes of the call")
    func immediately() async throws {
        let host = TestHost(Postman())
        #expect(try await host.get("/at-once").status == 409)
        #expect(host.messages == [])
        #expect(host.immediateMessages.map(\.text) == ["now"])
        #expect(host.immediateMessages.first?.attributes["id"] == "1")
        #expect(host.immediateEffects == [.set("sending", "yes")])
    }

    @Test("are delivered with their attributes and data")
    func delivered() async throws {
        let host = TestHost(Postman())
        try await host.deliver("hi", to: "greetings", attributes: ["subject": "Ada"])
        try await host.deliver(#"{"id":3}"#, to: "orders", contentType: "application/json")
        #expect(host.state == ["message-1": "hi Ada /functions/sender", "order": "3 application/json"])
    }

    @Test("that do not fit what is expected are a permanent failure")
    func misfit() async throws {
        let host = TestHost(Postman())
        let error = await #expect(throws: CallFailed.self) { try await host.deliver("{}", to: "orders") }
        #expect(error?.reason == .permanently)
        #expect(error?.description.contains("'id' is missing") == true)
    }

    @Test("travel as a state operation, whose refusal the handler can catch")
    func frames() async {
        let host = FakeHost { Postman() }
        #expect(await host.greet()?.triggers == 0b1001 | Hello.canShare | Hello.canLookUp | Hello.canTakeAhead)
        host.get("/bytes")
        let message = WireMessage(
            target: "raw",
            attributes: [WireField("subject", "s"), WireField("datacontenttype", "application/octet-stream")],
            data: [1, 2])
        #expect(await host.next()?.message == .state(request: 1, scope: 0, .send(message)))
        host.send(Frame(call: 1, .stateReply(request: 1, .failed(code: "unknownTarget", message: "no 'raw'"))))
        #expect(await host.next()?.message == .failure(permanent: false, message: "no 'raw'"))
    }

    @Test("arrive as a call with the data in its body, in however many frames")
    func call() async {
        let host = FakeHost { Postman() }
        _ = await host.greet()
        let head = CallHead(
            kind: .topic, invocation: WireID(high: 1, low: 2), attempt: 1, time: 10_000_000,
            attributes: [WireField("id", "m"), WireField("type", "t"), WireField("source", "/s")])
        host.send(
            Frame(call: 1, .call(head, body: .bytes([UInt8]("he".utf8)), end: false)),
            Frame(call: 1, .body(.bytes([UInt8]("llo".utf8)), end: true)))
        #expect(
            await host.next()?.message
                == .state(request: 0, scope: 0, .set(key: "m", value: [UInt8]("hello - /s".utf8))))
        #expect(await host.next()?.message == .acknowledge)
    }
}
