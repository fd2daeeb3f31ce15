import Engine
import Events
import Gateway
import Manifests
import NIOCore
import Testing
import Workers

@Suite("The Idempotency-Key of a request")
struct IdempotencyFieldTests {
    private static func admission(
        _ method: String, _ values: [String], idempotency: HTTPTrigger.Idempotency = .optional,
        other: [(String, String)] = []
    ) -> Admission {
        var manifest = manifest("f", "/f", body: 100)
        manifest.triggers = [
            .http(HTTPTrigger(path: pattern("/f"), idempotency: idempotency, keep: .seconds(60)))
        ]
        var fields = RequestFields()
        fields.add("Host", "x")
        for value in values { fields.add("idempotency-Key", value) }
        for (name, value) in other { fields.add(name, value) }
        fields.finish()
        return Admission(
            ReceivedHead(method: method, target: "/f", fields: fields), router: RouteTable([manifest]),
            limits: BodyLimits(GatewayConfiguration()), remoteAddress: "")
    }

    private static func key(_ admission: Admission) -> IdempotencyKey? {
        if case .call(let request) = admission { request.head.idempotency } else { nil }
    }

    private static func problem(_ admission: Admission) -> Problem? {
        if case .answer(let problem, _) = admission { problem } else { nil }
    }

    @Test(
        "it is a string in quotes, or one without",
        arguments: [
            (#""8e03978e-40d5-43e8-bc93-6894a57f9324""#, "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            ("KG5LxwFBepaKHyUD", "KG5LxwFBepaKHyUD"), ("a+/b==:c", "a+/b==:c"), (#""a b, c;d""#, "a b, c;d"),
            (#""say \"\\\"""#, #"say "\""#), (#""a";v=1"#, "a"),
            (String(repeating: "x", count: 255), String(repeating: "x", count: 255)),
        ])
    func valid(value: String, key: String) {
        #expect(Self.key(Self.admission("POST", [value])) == IdempotencyKey(key, keep: .seconds(60)))
    }

    @Test(
        "anything else is a 400",
        arguments: [
            [""], [#""""#], ["a b"], ["a,b"], ["a;b"], [#"a"b"#], [#""a"#], [#""a"b"#], [#""a\b""#], [#""a\"#],
            ["ü"], [#""ü""#], [String(repeating: "x", count: 256)], ["a", "a"],
        ])
    func invalid(values: [String]) {
        let problem = Self.problem(Self.admission("POST", values))
        #expect(problem?.status == 400 && problem?.code == "idempotency-key-invalid")
    }

    @Test("where it is required, a request without one is a 400", arguments: ["POST", "PUT", "PATCH", "DELETE"])
    func missing(method: String) {
        let problem = Self.problem(Self.admission(method, [], idempotency: .required))
        #expect(problem?.status == 400 && problem?.code == "idempotency-key-missing")
        #expect(Self.key(Self.admission(method, [])) == nil)
        #expect(Self.problem(Self.admission(method, [])) == nil)
    }

    @Test("safe methods need none and ignore one", arguments: ["GET", "HEAD", "PROPFIND"])
    func safe(method: String) {
        let admission = Self.admission(method, ["a b"], idempotency: .required)
        #expect(Self.key(admission) == nil && Self.problem(admission) == nil)
    }

    @Test("where it is off, it is the function's own affair")
    func off() throws {
        let admission = Self.admission("POST", ["a b"], idempotency: .off)
        guard case .call(let request) = admission else { throw Unexpected() }
        #expect(request.head.idempotency == nil)
        #expect(request.head.headers.first("Idempotency-Key") == "a b")
    }

    @Test(
        "the body of a request with a key is collected, in chunks or not",
        arguments: [
            ("Content-Length", "50", BodyPlan.collect(limit: 100)),
            ("Transfer-Encoding", "chunked", .collect(limit: 100)), ("Content-Length", "0", .none),
        ])
    func body(name: String, value: String, plan: BodyPlan) throws {
        guard case .call(let request) = Self.admission("POST", ["a"], other: [(name, value)]) else {
            throw Unexpected()
        }
        #expect(request.body == plan)
    }

    private struct Unexpected: Error {}
}

@Suite("Requests with an Idempotency-Key on their way")
struct KeyedRequestTests {
    private static let manifests: [Manifest] = {
        var small = manifest("f", "/f", body: 10)
        small.triggers = [.http(HTTPTrigger(path: pattern("/f"), idempotency: .required))]
        return [small]
    }()

    @Test("a body in chunks comes to the function whole")
    func chunks() async throws {
        try await withGateway(Self.manifests, respond: BodyTests.telling) { world in
            let head = "POST /f HTTP/1.1\r\nHost: x\r\nIdempotency-Key: \"a\"\r\nTransfer-Encoding: chunked\r\n\r\n"
            let response = try await world.answer(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            #expect(response.headers.first("Kind") == "bytes" && response.text == "abcde")
        }
    }

    @Test("chunks past limits.body are a 413")
    func tooLarge() async throws {
        try await withGateway(Self.manifests) { world in
            let head = "POST /f HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let response = try await world.answer(head + "b\r\nabcdefghijk\r\n")
            #expect(response.status == 413)
        }
    }

    @Test("an answer that was given to another invocation names that one")
    func names() async throws {
        let other = InvocationID()
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            var reply = Reply(head: ResponseHead(status: 200), body: .empty)
            reply.invocation = other
            return reply
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.headers.first("Apus-Invocation") == other.description)
        }
    }
}
