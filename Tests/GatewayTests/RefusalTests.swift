import Engine
import Events
import Gateway
import Testing
import Workers

/// What the gateway answers itself.
@Suite struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var request: String
        var status: Int
        /// Whether the connection is closed afterwards.
        var closes: Bool
        var testDescription: String { "\(status): \(request.prefix(60).debugDescription)" }

        init(_ status: Int, closes: Bool = true, _ request: String) {
            self.request = request
            self.status = status
            self.closes = closes
        }
    }

    static let malformed = [
        Case(400, "GET /hello HTTP/1.1\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a:$(x)\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: ::1\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: [::1]8\r\n\r\n"),
        Case(400, "GET http://a:x/hello HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n"),
        Case(400, "GET /hello HTTP/1.1\r\nHost: a\r\nX : x\r\n\r\n"),
        Case(400, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n"),
        Case(400, "GET\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Case(400, closes: false, "GET /hello/%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(400, closes: false, "GET /hello/../x HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(501, "FOO /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(501, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(505, "GET /hello HTTP/3.0\r\nHost: a\r\n\r\n"),
        Case(505, "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n"),
        Case(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ]

    static let smuggling = [
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"),
        Case(400, "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(501, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Case(501, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        Case(400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ]

    static let limits = [
        Case(404, closes: false, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(404, closes: false, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(404, closes: false, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        Case(405, closes: false, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        Case(413, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"),
        Case(413, "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"),
        Case(413, "POST /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"),
        Case(404, "POST /nothing HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"),
        Case(414, "GET /hello/\(String(repeating: "a", count: 9 << 10)) HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(414, "GET /hello/\(String(repeating: "a", count: 60 << 10)) HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(417, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 3\r\n\r\nabc"),
        Case(431, "GET /hello HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 45 << 10))\r\n\r\n"),
        Case(431, "GET /hello HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: 101))\r\n"),
    ]

    /// Answers once it has the whole body, since what has been answered already cannot be refused.
    static let patient: Responder = { head, body, function, id, lane async throws(Problem) in
        if case .stream(let stream) = body {
            do {
                while try await stream.next() != nil {}
            } catch {
                throw Problem(status: 500, code: "aborted", title: "The body did not come to its end")
            }
        }
        return try await echo(head, .empty, function, id, lane)
    }

    @Test("what is malformed, smuggled or too much is refused", arguments: malformed + smuggling + limits)
    func refuses(_ refusal: Case) async throws {
        try await withGateway(respond: Self.patient) { world in
            let client = try world.client()
            try await client.send(refusal.request)
            let response = try await client.receive()
            #expect(response.status == refusal.status)
            #expect(response.headers.first("Content-Type") == "application/problem+json")
            #expect(response.text.contains("\"status\":\(refusal.status)"))
            #expect(response.headers.first("Connection") == (refusal.closes ? "close" : nil))
            if refusal.closes {
                #expect(try await client.isClosed())
            } else {
                try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.receive().status == 200)
            }
        }
    }

    @Test("405 says which methods there are")
    func allow() async throws {
        try await withGateway { world in
            let response = try await world.answer("PUT /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 405)
            #expect(response.headers.first("Allow") == "GET, HEAD, OPTIONS")
            #expect(response.headers.first("Apus-Invocation") == nil)
        }
    }

    @Test("requests before a malformed one are answered first")
    func order() async throws {
        try await withGateway { world in
            let client = try world.client()
            try await client.send(
                "GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\n\r\n\0\r\n\r\n")
            #expect(try await client.receive().headers.first("Query") == "1")
            #expect(try await client.receive().headers.first("Query") == "2")
            #expect(try await client.receive().status == 400)
            #expect(try await client.isClosed())
        }
    }

    @Test("an answer that refuses a large body reaches the client, although it keeps on sending")
    func linger() async throws {
        try await withGateway(configure: { $0.lingerTime = .seconds(60) }) { world in
            let client = try world.client()
            try await client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
            try await client.send([UInt8](repeating: 0x61, count: 3_000_000))
            #expect(try await client.receive().status == 413)
        }
    }

    @Test("the field limits are those of the configuration")
    func configured() async throws {
        try await withGateway(configure: {
            $0.headerFields = 3; $0.requestLine = 20
        }) { world in
            let few = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\n\r\n")
            #expect(few.status == 200)
            let many = try await world.answer("GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE: f\r\n\r\n")
            #expect(many.status == 431)
            #expect(try await world.answer("GET /hello/0123456789abc HTTP/1.1\r\nHost: x\r\n\r\n").status == 200)
            #expect(try await world.answer("GET /hello/0123456789abcd HTTP/1.1\r\nHost: x\r\n\r\n").status == 414)
        }
    }
}
