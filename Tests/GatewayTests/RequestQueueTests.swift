import Engine
import Events
import Gateway
import Manifests
import NIOCore
import Synchronization
import Testing
import Workers

@Suite("Requests that are queued")
struct RequestQueueTests {
    private struct Nothing: RunningRequest {
        func cancel() {}
    }

    /// A queue that remembers what it got, and says of every invocation what it is told to.
    private final class Recorder: Sendable {
        let accepted = Mutex<[QueuedRequest]>([])
        let waited = Mutex<Duration?>(nil)

        func queue(_ status: @escaping @Sendable (InvocationID) -> InvocationStatus) -> RequestQueue {
            RequestQueue(
                accept: { request, reply, _, end in
                    self.accepted.withLock { $0.append(request) }
                    end(.success(reply))
                    return Nothing()
                },
                status: { id, longest, _ async throws(Problem) in
                    self.waited.withLock { $0 = longest }
                    return status(id)
                },
                cancel: { id async throws(Problem) in status(id) })
        }
    }

    @Sendable private static func waiting(_ id: InvocationID) -> InvocationStatus {
        InvocationStatus(
            id: id, state: "waiting", isEnded: false, urgency: 3, enqueued: .now(),
            due: WallTime.now().advanced(by: .seconds(90)))
    }

    @Sendable private static func done(_ id: InvocationID) -> InvocationStatus {
        var status = InvocationStatus(
            id: id, state: "done", isEnded: true, urgency: 3, enqueued: .now(), due: .now())
        status.outcome = .succeeded
        status.attempts = 1
        status.result = InvocationStatus.Result(
            head: ResponseHead(status: 201, headers: [HeaderField("Content-Type", "text/plain")]),
            body: Array("made \"it\"".utf8), isCut: false, expires: .now())
        return status
    }

    private static func post(_ more: String, body: String = "abc") -> String {
        "POST /echo/a%20b?q=1 HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\(more)\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test("the answer is 202 with the place of the invocation, and no function is called")
    func accepted() async throws {
        let recorder = Recorder()
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            throw Problem(status: 500, code: "called", title: "It was called")
        }
        try await withGateway(respond: respond, queue: recorder.queue(Self.waiting)) { world async throws in
            let response = try await world.answer(Self.post("\r\nPriority: u=1\r\nApus-After: 1h"))
            let request = try #require(recorder.accepted.withLock { $0.first })
            #expect(response.status == 202)
            #expect(response.headers.first("Location") == "/_apus/invocations/\(request.id)")
            #expect(response.headers.first("Apus-Invocation") == request.id.description)
            #expect(response.headers.first("Preference-Applied") == "respond-async")
            #expect(response.headers.first("Cache-Control") == "no-store")
            #expect(response.text.contains(#""id":"\#(request.id)","state":"waiting""#))
            #expect(request.function == "echo" && request.trigger == "echo/http/0" && request.urgency == 1)
            #expect(request.head.method == "POST" && request.head.query == "q=1")
            #expect(request.head.parameters == [HeaderField("path", "a b")])
            #expect(String(buffer: request.body) == "abc")
            #expect(request.due > .now())
        }
    }

    @Test("a body in chunks is collected, and one past the limit is a 413")
    func bodies() async throws {
        let recorder = Recorder()
        try await withGateway(configure: { $0.heldBody = 5 }, queue: recorder.queue(Self.waiting)) {
            world async throws in
            let head = "POST /echo HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nTransfer-Encoding: chunked\r\n\r\n"
            #expect(try await world.answer(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").status == 202)
            #expect(recorder.accepted.withLock { $0.first.map { String(buffer: $0.body) } } == "abcde")
            #expect(try await world.answer(head + "3\r\nabc\r\n3\r\ndef\r\n").status == 413)
            #expect(try await world.answer(Self.post("", body: "abcdef")).status == 413)
        }
    }

    @Test("what the queue refuses is told with its Retry-After")
    func refused() async throws {
        try await withGateway { world in
            let response = try await world.answer(Self.post(""))
            #expect(response.status == 503 && response.headers.first("Retry-After") == "5")
        }
    }

    @Test("a client that waits gets the response itself when it is there in time")
    func waits() async throws {
        let recorder = Recorder()
        try await withGateway(queue: recorder.queue(Self.done)) { world async throws in
            let response = try await world.answer(Self.post(", wait=10"))
            #expect(response.status == 201 && response.text == "made \"it\"")
            #expect(response.headers.first("Preference-Applied") == "wait=10")
            #expect(recorder.waited.withLock { $0 } == .seconds(10))
        }
        try await withGateway(queue: recorder.queue(Self.waiting)) { world async throws in
            #expect(try await world.answer(Self.post(", wait=10")).status == 202)
        }
    }

    @Test("the document of an invocation says where it stands and when to ask again")
    func document() async throws {
        let id = InvocationID()
        let get = "GET /_apus/invocations/\(id) HTTP/1.1\r\nHost: x\r\n\r\n"
        try await withGateway(queue: Recorder().queue(Self.waiting)) { world async throws in
            let response = try await world.answer(get)
            #expect(response.status == 200 && response.headers.first("Content-Type") == "application/json")
            #expect(response.headers.first("Retry-After") == "90" || response.headers.first("Retry-After") == "89")
            #expect(response.headers.first("Apus-Invocation") == id.description)
        }
        try await withGateway(queue: Recorder().queue(Self.done)) { world async throws in
            let response = try await world.answer(get)
            #expect(response.headers.first("Retry-After") == nil)
            #expect(response.text.contains(#""attempts":1"#) && response.text.contains(#""outcome":"succeeded""#))
            #expect(response.text.contains(#""status":201"#) && response.text.contains(#""text":"made \"it\"""#))
            #expect(try await world.answer(get.replacing("GET", with: "HEAD"), toHead: true).text == "")
            #expect(try await world.answer(get.replacing("GET", with: "DELETE")).status == 200)
            #expect(try await world.answer(get.replacing("GET", with: "OPTIONS")).status == 204)
            #expect(try await world.answer(get.replacing("GET", with: "PUT")).status == 405)
        }
    }

    @Test("the result is the response as it was, once there is one")
    func result() async throws {
        let id = InvocationID()
        let get = "GET /_apus/invocations/\(id)/result HTTP/1.1\r\nHost: x\r\n\r\n"
        try await withGateway(queue: Recorder().queue(Self.done)) { world async throws in
            let response = try await world.answer(get)
            #expect(response.status == 201 && response.text == "made \"it\"")
            #expect(response.headers.first("Content-Type") == "text/plain")
        }
        try await withGateway(queue: Recorder().queue(Self.waiting)) { world async throws in
            let response = try await world.answer(get)
            #expect(response.status == 404 && response.text.contains("no-result-yet"))
        }
        let dead: @Sendable (InvocationID) -> InvocationStatus = { id in
            var status = Self.done(id)
            (status.state, status.outcome, status.result) = ("dead", .exhausted, nil)
            return status
        }
        try await withGateway(queue: Recorder().queue(dead)) { world async throws in
            let response = try await world.answer(get)
            #expect(response.status == 410 && response.text.contains("'exhausted'"))
        }
    }

    @Test("no route reaches below /_apus, not even one for every path")
    func reserved() async throws {
        try await withGateway([manifest("all", "/{path*}")]) { world async throws in
            #expect(try await world.answer("GET /_apus/x HTTP/1.1\r\nHost: x\r\n\r\n").status == 404)
            #expect(try await world.answer("GET /_apusx HTTP/1.1\r\nHost: x\r\n\r\n").status == 200)
        }
    }
}
