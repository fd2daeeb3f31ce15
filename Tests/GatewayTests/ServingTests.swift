import Engine
import Events
import Gateway
import NIOCore
import Testing
import Workers

@Suite struct ServingTests {
    @Test("a request is answered with what the function gives, and with the invocation's id")
    func answers() async throws {
        try await withGateway { world in
            let response = try await world.answer("GET /hello/Ada%20L?a=1&b=%20 HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 200)
            #expect(response.headers.first("Parameters") == "name=Ada L")
            #expect(response.headers.first("Query") == "a=1&b=%20")
            #expect(response.headers.first("Server") == "apus")
            #expect(response.headers.first("Content-Length") == "0")
            #expect(response.headers.first("Connection") == nil)
            #expect(response.headers.first("Date")?.hasSuffix(" GMT") == true)
            #expect(InvocationID(response.headers.first("Apus-Invocation") ?? "") != nil)
        }
    }

    @Test("a client of IPv4 has its own address, also on a socket for both families")
    func mapped() async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            Reply(head: ResponseHead(status: 200), body: .bytes(ByteBuffer(string: head.remoteAddress)))
        }
        // As a socket on [::] sees it, but on loopback alone.
        try await withGateway(configure: { $0.host = "::ffff:127.0.0.1" }, respond: respond) { world in
            let address = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").text
            #expect(address.hasPrefix("127.0.0.1:"))
        }
    }

    @Test("a connection serves many requests")
    func keepAlive() async throws {
        try await withGateway { world in
            let client = try world.client()
            for number in 0..<100 {
                try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\(100 + number)")
                #expect(try await client.receive().text == "\(100 + number)")
            }
        }
    }

    @Test("pipelined requests are answered in order, also those behind a slow one")
    func pipelining() async throws {
        let first = Moment()
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            if head.query == "0" { try? await first.wait() }
            return try await echo(head, body, function, id, lane)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            let requests = (0..<200).map {
                "GET \($0 % 3 == 1 ? "/nothing" : "/hello")?\($0) HTTP/1.1\r\nHost: x\r\n\r\n"
            }
            try await client.send(requests.joined())
            first.happen()
            for number in 0..<200 {
                let response = try await client.receive()
                #expect(response.status == (number % 3 == 1 ? 404 : 200))
                #expect(response.headers.first("Query") == (number % 3 == 1 ? nil : "\(number)"))
            }
        }
    }

    @Test("answers that the socket does not take at once come whole and in order")
    func fullSocket() async throws {
        let respond: Responder = { head, _, _, _, _ in
            Reply(
                head: ResponseHead(status: 200),
                body: .bytes(ByteBuffer(repeating: UInt8(Int(head.query) ?? 0), count: 16_000)))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send((0..<200).map { "GET /hello?\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
            for number in 0..<200 {
                let body = try await client.receive().body
                #expect(body.count == 16_000 && body.allSatisfy { $0 == UInt8(number) })
            }
        }
    }

    @Test("a request that comes byte by byte is the same request")
    func bytewise() async throws {
        try await withGateway { world in
            let client = try world.client()
            for byte in "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi".utf8 {
                try await client.send([byte])
            }
            #expect(try await client.receive().text == "hi")
        }
    }

    @Test("HEAD is answered through GET: the length, and no body")
    func head() async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            Reply(head: ResponseHead(status: 200), body: .bytes(ByteBuffer(string: "four")))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            let head = try await client.receive(toHead: true)
            #expect(head.status == 200)
            #expect(head.headers.first("Content-Length") == "4")
            #expect(try await client.receive().text == "four")
        }
    }

    @Test("what cannot be read after a HEAD is told why, with a body")
    func malformedAfterHead() async throws {
        try await withGateway { world in
            let client = try world.client()
            try await client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\nHost: x\r\n\r\n")
            #expect(try await client.receive(toHead: true).status == 200)
            let refusal = try await client.receive()
            #expect(refusal.status == 400)
            #expect(refusal.text.hasPrefix("{"))
        }
    }

    @Test("OPTIONS with a body that waits for its turn is answered, and closed", arguments: ["/hello", "*"])
    func optionsExpecting(_ target: String) async throws {
        try await withGateway { world in
            let answer = try await world.answer(
                "OPTIONS \(target) HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n")
            #expect(answer.status == 204)
            #expect(answer.headers.first("Connection") == "close")
        }
    }

    @Test("OPTIONS tells the methods; OPTIONS * those of the server")
    func options() async throws {
        try await withGateway { world in
            let hello = try await world.answer("OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(hello.status == 204)
            #expect(hello.headers.first("Allow") == "GET, HEAD, OPTIONS")
            #expect(hello.headers.first("Content-Length") == nil)
            let server = try await world.answer("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(server.status == 204)
            #expect(server.headers.first("Allow") == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
        }
    }

    @Test("HTTP/1.0 is answered and closed, or kept when it asks for that")
    func old() async throws {
        try await withGateway { world in
            let once = try world.client()
            try await once.send("GET /hello HTTP/1.0\r\n\r\n")
            #expect(try await once.receive().headers.first("Connection") == "close")
            #expect(try await once.isClosed())
            let kept = try world.client()
            for _ in 0..<3 {
                try await kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try await kept.receive().headers.first("Connection") == "keep-alive")
            }
        }
    }

    @Test("Connection: close closes after the answer")
    func closes() async throws {
        try await withGateway { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let response = try await client.receive()
            #expect(response.headers.first("Connection") == "close")
            #expect(try await client.isClosed())
        }
    }

    @Test("a target in absolute form is served by its path, and names the host in Host's place")
    func absoluteForm() async throws {
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            var reply = try await echo(head, body, function, id, lane)
            let hosts = head.headers.filter { $0.name == "Host" }.map(\.value)
            reply.head.headers.append(HeaderField("Hosts", hosts.joined(separator: " ")))
            return reply
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer("GET http://example.com/hello/Bo?q HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.headers.first("Parameters") == "name=Bo")
            #expect(response.headers.first("Query") == "q")
            #expect(response.headers.first("Hosts") == "example.com")
            let bare = try await world.answer("OPTIONS http://example.com HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(bare.status == 404)
            #expect(try await world.answer("GET http:///hello HTTP/1.1\r\nHost: x\r\n\r\n").status == 400)
        }
    }

    @Test("a function's fields that concern the connection are dropped, others kept")
    func responseFields() async throws {
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            let fields = [
                HeaderField("Connection", "upgrade"), HeaderField("Transfer-Encoding", "gzip"),
                HeaderField("Content-Length", "99"), HeaderField("Server", "mine"), HeaderField("Set-Cookie", "a=1"),
                HeaderField("Set-Cookie", "b=2"),
            ]
            return Reply(head: ResponseHead(status: 201, headers: fields), body: .bytes(ByteBuffer(string: "x")))
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 201)
            #expect(response.text == "x")
            #expect(response.headers.filter { $0.name == "Set-Cookie" }.map(\.value) == ["a=1", "b=2"])
            #expect(response.headers.filter { $0.name == "Server" }.map(\.value) == ["apus"])
            #expect(response.headers.first("Connection") == nil)
            #expect(response.headers.first("Transfer-Encoding") == nil)
        }
    }

    @Test("204 and 304 have no body, whatever the function gives", arguments: [204, 304])
    func bodyless(status: Int) async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            Reply(head: ResponseHead(status: head.query == "" ? status : 200), body: .bytes(ByteBuffer(string: "x")))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive().status == status)
            #expect(try await client.receive().text == "x")
        }
    }

    @Test(
        "a response that would break the connection becomes 502",
        arguments: [
            ResponseHead(status: 200, headers: [HeaderField("X", "a\r\nSet-Cookie: stolen=1")]),
            ResponseHead(status: 200, headers: [HeaderField("X", "a\nb")]),
            ResponseHead(status: 200, headers: [HeaderField("X\r\n", "a")]),
            ResponseHead(status: 200, headers: [HeaderField("", "a")]),
            ResponseHead(status: 200, headers: [HeaderField("X", "a\0")]),
            ResponseHead(status: 101), ResponseHead(status: 600), ResponseHead(status: 0),
        ])
    func invalidResponses(head: ResponseHead) async throws {
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in Reply(head: head, body: .empty) }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 502)
            #expect(response.text.contains("urn:apus:problem:invalid-response"))
            #expect(response.headers.first("Set-Cookie") == nil)
        }
    }

    @Test("a problem from the engine is told with its fields and the invocation's id")
    func problems() async throws {
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            throw Problem(status: 503, code: "queue-full", title: "Too many wait", retryAfter: 7)
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 503)
            #expect(response.headers.first("Retry-After") == "7")
            #expect(response.headers.first("Content-Type") == "application/problem+json")
            let id = try #require(response.headers.first("Apus-Invocation"))
            #expect(response.text.contains("\"invocation\":\"\(id)\""))
        }
    }

    @Test("new manifests change the routes of requests to come, on connections that are open")
    func reload() async throws {
        let runs = Moment()
        let goOn = Moment()
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            if head.query == "wait" {
                runs.happen()
                try? await goOn.wait()
            }
            return try await echo(head, body, function, id, lane)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("GET /hello?wait HTTP/1.1\r\nHost: x\r\n\r\n")
            try await runs.wait()
            world.gateway.update([manifest("other", "/other")])
            goOn.happen()
            #expect(try await client.receive().headers.first("Function") == "hello")
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /other HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive().status == 404)
            #expect(try await client.receive().headers.first("Function") == "other")
        }
    }
}
