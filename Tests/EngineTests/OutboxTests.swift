import Events
import Manifests
import Storage
import Testing

@testable import Engine

@Suite("What an invocation sends")
struct OutboxTests {
    private let now = WallTime(milliseconds: 1_000_000)
    private let receiver = Subscriptions.Receiver(function: "mailer", trigger: "mailer/topic/0")

    private var listeners: Subscriptions.Listeners { Subscriptions.Listeners([.init(receiver)]) }

    private func invocation(depth: Int? = nil) -> Invocation {
        guard let depth else {
            return Invocation(function: "orders", cause: .request(RequestHead(method: "GET", path: "/")))
        }
        let event = Event(
            id: "1", source: "/functions/a", type: "t", time: now, extensions: ["apusdepth": "\(depth)"])
        return Invocation(function: "orders", cause: .event(.topic, event))
    }

    private func send(
        _ message: OutgoingMessage, depth: Int? = nil, listeners: Subscriptions.Listeners? = nil
    ) -> Result<[NewInvocation], StateError> {
        var outbox = Outbox(invocation(depth: depth))
        return outbox.events(for: message, listeners: listeners ?? self.listeners, isImmediate: false, now: now)
    }

    private func code(_ attributes: [HeaderField]) -> StateError.Code? {
        switch send(OutgoingMessage(target: "t", data: [], attributes: attributes)) {
        case .success: nil
        case .failure(let error): error.code
        }
    }

    @Test("becomes one queued event for each receiver, due when its delay has passed")
    func events() throws {
        var outbox = Outbox(invocation())
        let other = Subscriptions.Receiver(function: "audit", trigger: "audit/send")
        let message = OutgoingMessage(
            target: "order.placed", data: [1], dataContentType: "image/png",
            attributes: [HeaderField("subject", "42")], after: .seconds(5))
        let both = Subscriptions.Listeners([.init(receiver), .init(other)])
        let made = try outbox.events(for: message, listeners: both, isImmediate: false, now: now).get()
        #expect(made.map(\.function) == ["mailer", "audit"])
        #expect(made.map(\.trigger) == ["mailer/topic/0", "audit/send"])
        #expect(made.allSatisfy { $0.kind == .topic && $0.due == now.advanced(by: .seconds(5)) && $0.line == nil })
        let event = try #require(made.first).event
        #expect(made.allSatisfy { $0.event == event })
        #expect(event.source == "/functions/orders")
        #expect(event.type == "order.placed")
        #expect(event.subject == "42")
        #expect(event.time == now)
        #expect(event.dataContentType == "image/png")
        #expect(event.data == [1])
        #expect(event.extensions == ["apusdepth": "1", "apustarget": "order.placed"])
    }

    @Test("has ids that follow from the invocation's, the same in every run, but for what commits on the spot")
    func ids() throws {
        let invocation = invocation()
        let message = OutgoingMessage(target: "t", data: [])
        func ids() throws -> [String] {
            var outbox = Outbox(invocation)
            return try [false, true, false].map { isImmediate in
                let made = outbox.events(for: message, listeners: listeners, isImmediate: isImmediate, now: now)
                return try made.get().map(\.event.id).joined()
            }
        }
        let (first, second) = (try ids(), try ids())
        #expect(first[0] == "\(invocation.id)-1" && first[2] == "\(invocation.id)-2")
        #expect(first[0] == second[0] && first[2] == second[2])
        #expect(first[1] != second[1])
    }

    @Test("needs somebody who gets it")
    func unknownTarget() {
        let result = send(OutgoingMessage(target: "nobody", data: []), listeners: Subscriptions.Listeners([]))
        #expect(
            result
                == .failure(
                    StateError(
                        .unknownTarget, "'nobody' is neither a function nor a topic of a function's trigger")))
    }

    @Test("counts how many messages led to it, and is refused after sixteen")
    func depth() throws {
        let message = OutgoingMessage(target: "t", data: [], attributes: [HeaderField("apusdepth", "0")])
        #expect(try send(message, depth: 15).get()[0].event.extensions["apusdepth"] == "16")
        guard case .failure(let error) = send(message, depth: 16) else { return #expect(Bool(false)) }
        #expect(error.code == .chainTooLong)
    }

    @Test("may say what a CloudEvent may say, id, source, type and time too")
    func chosenAttributes() throws {
        let attributes = [
            HeaderField("specversion", "1.0"), HeaderField("id", "a1"), HeaderField("source", "https://shop.example"),
            HeaderField("type", "shop.order"), HeaderField("time", "2026-01-02T03:04:05Z"),
            HeaderField("datacontenttype", "text/plain"), HeaderField("region", "eu"),
        ]
        let event = try send(OutgoingMessage(target: "t", data: [1], attributes: attributes)).get()[0].event
        #expect(event.id == "a1" && event.source == "https://shop.example" && event.type == "shop.order")
        #expect(event.time.description == "2026-01-02T03:04:05.000Z")
        #expect(event.dataContentType == "text/plain")
        #expect(event.extensions["region"] == "eu" && event.extensions["apustarget"] == "t")
    }

    @Test(
        "must not say what no CloudEvent can, or that another function or the state sent it",
        arguments: [
            HeaderField("specversion", "0.3"), HeaderField("id", ""), HeaderField("source", "/functions/other"),
            HeaderField("source", "/functions/orders/timers/0"), HeaderField("source", "/state/orders"),
            HeaderField("time", "yesterday"),
            HeaderField("Region", "eu"), HeaderField("data", "x"), HeaderField("a-b", "x"), HeaderField("", "x"),
            HeaderField("subject", "a\nb"), HeaderField("x", String(repeating: "x", count: 20_000)),
        ])
    func badAttributes(_ attribute: HeaderField) {
        #expect(code([attribute]) == .invalid)
        #expect(code([HeaderField("source", "/functions/orders")]) == nil)
    }

    @Test("goes to nobody, and is no error, when the filters of all who listen leave it out")
    func filtered() throws {
        let filter = EventFilter.prefix(attribute: "subject", value: "eu/")
        let listeners = Subscriptions.Listeners([.init(receiver, filter: filter)])
        func made(_ subject: String) throws -> Int {
            let message = OutgoingMessage(target: "t", data: [], attributes: [HeaderField("subject", subject)])
            return try send(message, listeners: listeners).get().count
        }
        #expect(try made("eu/1") == 1)
        #expect(try made("us/1") == 0)
    }

    @Test("has bounds in size and time")
    func bounds() {
        let large = [UInt8](repeating: 0, count: (1 << 20) + 1)
        for message in [
            OutgoingMessage(target: "t", data: large), OutgoingMessage(target: "t", data: [], after: .seconds(-1)),
            OutgoingMessage(target: "t", data: [], after: .seconds(367 * 86_400)),
        ] {
            guard case .failure(let error) = send(message) else { return #expect(Bool(false)) }
            #expect(error.code == .invalid)
        }
    }
}

@Suite("Who gets a message")
struct SubscriptionsTests {
    @Test("the function of that name, and every function with a trigger for that topic, each once")
    func receivers() {
        func manifest(_ name: String, _ topics: String...) -> Manifest {
            let handler = Handler(command: ["/bin/cat"], contract: .stdio, directory: "/")
            return Manifest(name: name, handler: handler, triggers: topics.map { .topic(TopicTrigger($0)) })
        }
        let subscriptions = Subscriptions()
        subscriptions.replace([manifest("b", "x", "a", "x"), manifest("a", "a"), manifest("c")])
        let event = Event(id: "1", source: "/functions/s", type: "x", time: WallTime(milliseconds: 0))
        func found(_ target: String) -> [String] {
            subscriptions.listeners(to: target).receivers(of: event).map(\.trigger)
        }
        #expect(found("x") == ["b/topic/0"])
        #expect(found("a") == ["a/topic/0", "b/topic/1"])
        #expect(found("c") == ["c/send"])
        #expect(found("nobody") == [])
        subscriptions.replace([manifest("c")])
        #expect(found("x") == [])
    }

    @Test("by the first of a function's triggers whose filter it passes")
    func filters() {
        func topic(_ region: String?) -> Trigger {
            .topic(TopicTrigger("order", filter: region.map { .exact(attribute: "region", value: ExactText($0)) }))
        }
        let handler = Handler(command: ["/bin/cat"], contract: .stdio, directory: "/")
        let subscriptions = Subscriptions()
        subscriptions.replace([
            Manifest(name: "eu", handler: handler, triggers: [topic("eu")]),
            Manifest(name: "all", handler: handler, triggers: [topic("us"), topic(nil)]),
        ])
        func found(_ region: String) -> [String] {
            let event = Event(
                id: "1", source: "/functions/s", type: "order", time: WallTime(milliseconds: 0),
                extensions: ["region": region])
            return subscriptions.listeners(to: "order").receivers(of: event).map(\.trigger)
        }
        #expect(found("eu") == ["all/topic/1", "eu/topic/0"])
        #expect(found("us") == ["all/topic/0"])
        #expect(found("asia") == ["all/topic/1"])
        #expect(!subscriptions.listeners(to: "order").isEmpty)
    }
}
