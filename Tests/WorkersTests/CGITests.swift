import Events
import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite("A program of the cgi contract", .serialized, .timeLimit(.minutes(2)))
struct CGITests {
    private static let header = "echo Content-Type: text/plain; echo; "

    @Test("answers with its own status and fields")
    func response() async throws {
        let script = "printf 'Status: 418 Teapot\\r\\nContent-Type: text/x\\r\\nFoo: bar\\r\\n\\r\\nshort'"
        try await World.with(Handlers.cgi(script)) { world in
            let response = try await world.request("/")
            let fields = [HeaderField("Content-Type", "text/x"), HeaderField("Foo", "bar")]
            #expect(response.head == ResponseHead(status: 418, headers: fields))
            #expect(try await response.text() == "short")
        }
    }

    @Test("that writes less than it has announced has given no answer", arguments: ["exit 1", "exit 0"])
    func brokenOff(_ end: String) async throws {
        let script = "printf 'Content-Type: text/x\\r\\nContent-Length: 100\\r\\n\\r\\nhalf'; \(end)"
        try await World.with(Handlers.cgi(script)) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .contractBroken)
            #expect(failure.message == "the program announced a body of 100 bytes and wrote 4")
            let head = try await world.request("/", method: "HEAD")
            #expect(head.head.status == 200)
        }
    }

    @Test("sees the request")
    func environment() async throws {
        let script =
            Self.header + "echo $REQUEST_METHOD $SCRIPT_NAME$PATH_INFO $QUERY_STRING $HTTP_ACCEPT $APUS_PARAM_NAME"
        try await World.with(Handlers.cgi(script)) { world in
            let response = try await world.request(
                "/a/b", query: "c=d", method: "PUT", headers: [HeaderField("Accept", "e/f")])
            #expect(try await response.text() == "PUT /a/b c=d e/f Ada\n")
        }
    }

    @Test("knows the length of a body whose sender did not")
    func unknownLength() async throws {
        let script = Self.header + "echo $CONTENT_LENGTH; cat"
        try await World.with(Handlers.cgi(script)) { world in
            let body = BodyStream()
            async let response = world.request("/", body: .stream(body))
            for _ in 0..<3 { body.write(ByteBuffer(string: "piece ")) }
            body.finish()
            let text = try await response.text()
            #expect(text == "18\npiece piece piece ")
        }
    }

    @Test("starts before all of a body has come whose length is known")
    func knownLength() async throws {
        let script = "echo started >&2; \(Self.header) echo $CONTENT_LENGTH; cat"
        try await World.with(Handlers.cgi(script)) { world in
            let body = BodyStream()
            async let response = world.request(
                "/", body: .stream(body), headers: [HeaderField("Content-Length", "4")])
            #expect(await eventually { world.lines.first(.stderr, containing: "started") != nil })
            body.write(ByteBuffer(string: "late"))
            body.finish()
            let text = try await response.text()
            #expect(text == "4\nlate")
        }
    }

    @Test("is not started for a body that breaks off while it is collected")
    func brokenBody() async throws {
        try await World.with(Handlers.cgi("echo started >&2; \(Self.header)")) { world in
            let body = BodyStream()
            body.write(ByteBuffer(string: "half"))
            body.fail(Unexpected(description: "the client has gone"))
            let failure = await #expect(throws: CallFailure.self) { try await world.request("/", body: .stream(body)) }
            #expect(failure?.message.contains("broke off") == true)
            #expect(world.lines.first(.stderr, containing: "started") == nil)
            #expect(world.pool.snapshot.running == 0)
        }
    }

    @Test("is not started for a caller that goes, or runs out of time, while the body is collected")
    func abandonedBody() async throws {
        try await World.with(Handlers.cgi("echo started >&2; \(Self.header)")) { world in
            let caller = Task { try await world.request("/", body: .stream(BodyStream())) }
            #expect(await eventually { world.pool.snapshot.running == 1 })
            caller.cancel()
            let cancelled = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(cancelled?.code == .cancelled)
            let late = await #expect(throws: CallFailure.self) {
                try await world.request("/", body: .stream(BodyStream()), time: .milliseconds(50))
            }
            #expect(late?.code == .timedOut)
            #expect(await eventually { world.pool.snapshot.running == 0 })
            #expect(world.lines.first(.stderr, containing: "started") == nil)
        }
    }

    @Test("is not started when the pool stops while the body is collected")
    func stoppedPool() async throws {
        try await World.with(Handlers.cgi(Self.header)) { world in
            let taken = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let body = BodyStream(onDemand: { taken.continuation.yield() })
            body.write(ByteBuffer(repeating: 0, count: BodyStream.highWater))
            let caller = Task { try await world.request("/", body: .stream(body)) }
            for await _ in taken.stream { break }
            world.pool.stop()
            let failure = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(failure?.message == "the program was not started: the host is stopping")
        }
    }

    @Test("streams at once what says that it streams")
    func events() async throws {
        let script =
            "echo Content-Type: text/event-stream; echo; echo data: 1; echo; head -c 1 >/dev/null; echo data: 2"
        try await World.with(Handlers.cgi(script)) { world in
            let body = BodyStream()
            let response = try await world.request(
                "/", body: .stream(body), headers: [HeaderField("Content-Length", "1")])
            guard case .stream(let stream) = response.body else { throw Unexpected(description: "no stream") }
            var text = ""
            while !text.hasSuffix("\n\n"), let chunk = try await stream.next() { text += String(buffer: chunk) }
            #expect(text == "data: 1\n\n")
            body.write(ByteBuffer(string: "x"))
            body.finish()
            while let chunk = try await stream.next() { text += String(buffer: chunk) }
            #expect(text == "data: 1\n\ndata: 2\n")
        }
    }

    @Test("redirects within the host once it has ended")
    func localRedirect() async throws {
        try await World.with(Handlers.cgi("echo 'Location: /other?a=b'; echo")) { world in
            let error = await #expect(throws: Unexpected.self) { try await world.request("/") }
            #expect(error?.description == "a redirect to /other?a=b")
        }
    }

    @Test(
        "that prints something else fails, and the reason says what",
        arguments: ["echo hello; echo", "head -c 200000 /dev/zero; sleep 60"])
    func garbage(_ script: String) async throws {
        try await World.with(Handlers.cgi(script)) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .contractBroken)
            #expect(failure.message.hasPrefix("the program's output is no CGI response: "))
            #expect(await eventually { world.pool.snapshot.running == 0 })
        }
    }

    @Test("has answered once its response is complete, whatever its exit status")
    func exitStatus() async throws {
        try await World.with(Handlers.cgi(Self.header + "echo fine; exit 3")) { world in
            let text = try await world.request("/").text()
            #expect(text == "fine\n")
            #expect(world.lines.first(.host, containing: "exit status 3") != nil)
        }
    }

    @Test("has its response cut off when a signal ends it")
    func lateDeath() async throws {
        try await World.with(Handlers.cgi(Self.header + "head -c 1000000 /dev/zero; kill -9 $$")) { world in
            let response = try await world.request("/")
            await #expect(throws: CallFailure.self) { try await response.bytes() }
        }
    }

    @Test("gets an event as JSON, and what it prints after its header becomes log lines")
    func event() async throws {
        let manifest = Handlers.cgi(
            "echo Status: 204 No Content; echo; head -c $CONTENT_LENGTH; echo $CE_ID",
            [.timer(TimerTrigger(schedule: .every(.seconds(60))))])
        try await World.with(manifest) { world in
            try await world.deliver(.example)
            let printed = world.lines.all.filter { $0.source == .stdout }.map(\.text)
            #expect(printed.count == 2)
            #expect(printed.first?.hasPrefix(#"{"specversion":"1.0","id":"e1""#) == true)
            #expect(printed.last == "e1")
        }
    }

    @Test(
        "acknowledges an event with 2xx and exit status 0 only",
        arguments: [
            ("echo Status: 503; echo", "status 503", false), ("echo Status: 400; echo", "status 400", true),
            ("echo Status: 429; echo", "status 429", false), ("echo Location: /a; echo", "redirect to /a", true),
            ("echo Status: 200; echo; exit 4", "exit status 4", false), (":", "printed nothing", false),
        ])
    func refusedEvent(script: String, message: String, isPermanent: Bool) async throws {
        let manifest = Handlers.cgi(script, [.timer(TimerTrigger(schedule: .every(.seconds(60))))])
        try await World.with(manifest) { world in
            let failure = await #expect(throws: CallFailure.self) { try await world.deliver(.example) }
            #expect(failure?.message.contains(message) == true)
            #expect(failure?.permanent == isPermanent)
        }
    }
}
