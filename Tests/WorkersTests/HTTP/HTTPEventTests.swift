import Events
import Manifests
import Support
import Testing
import Workers

/// Events on their way to a worker that is an HTTP server.
@Suite("An event for an HTTP server", .timeLimit(.minutes(1)))
struct HTTPEventTests {
    private let event = Event(
        id: "e 1", source: "/files/inbox", type: "apus.file.created", subject: "Grüße \"2026\".csv",
        time: WallTime(milliseconds: 0), dataContentType: "application/json", extensions: ["size": "100%"],
        data: Array("{\"a\":1}".utf8))

    private func withServer(
        _ adjust: (inout Manifest) -> Void = { _ in }, _ body: (World) async throws -> Void
    ) async throws {
        let timer = Trigger.timer(TimerTrigger(schedule: .every(.seconds(60))))
        try await World.with(Handlers.server(.event, [timer], adjust), body)
    }

    @Test("comes as a CloudEvent in binary mode, with its attributes percent-encoded")
    func binaryMode() async throws {
        try await withServer { world in
            try await world.deliver(event, kind: .file)
            let line = try #require(await eventuallyFound { world.lines.first(.stdout, containing: "ce-id") })
            #expect(
                line.text == "/ ce-id=e%201 ce-size=100%25 ce-source=/files/inbox ce-specversion=1.0 "
                    + "ce-subject=Gr%C3%BC%C3%9Fe%20%222026%22.csv ce-time=1970-01-01T00:00:00.000Z "
                    + "ce-type=apus.file.created application/json {\"a\":1}")
        }
    }

    @Test("goes to the path that the manifest names")
    func path() async throws {
        try await withServer {
            $0.handler.path = "/events"
        } _: { world in
            try await world.deliver(event)
            #expect(await eventuallyFound { world.lines.first(.stdout, containing: "/events ce-id") } != nil)
        }
    }

    @Test(
        "that the server refuses fails as its status says",
        arguments: [
            ("500", false), ("503", false), ("400", true), ("404", true), ("429", false), ("302", true),
        ])
    func refusal(status: String, isPermanent: Bool) async throws {
        try await withServer {
            $0.environment["SERVER_EVENT_STATUS"] = status
        } _: { world in
            let failure = await #expect(throws: CallFailure.self) { try await world.deliver(event) }
            #expect(failure?.code == .handlerFailed)
            #expect(failure?.permanent == isPermanent)
            #expect(failure?.retryAfter == (isPermanent ? nil : .seconds(7)))
            #expect(failure?.message == "the server answered the event with status \(status)")
        }
    }
}

/// What `find` gives as soon as it gives something.
private func eventuallyFound<Value>(_ find: () -> Value?) async -> Value? {
    var found: Value?
    _ = await eventually {
        found = find()
        return found != nil
    }
    return found
}
