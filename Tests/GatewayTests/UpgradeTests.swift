import Engine
import Events
import Gateway
import Manifests
import NIOCore
import Support
import Synchronization
import Testing
import Workers

/// What goes on beside requests and responses on the way to a function that is a server.
@Suite("WebSocket and trailers", .timeLimit(.minutes(1)))
struct UpgradeTests {
    private static let server: [Manifest] = {
        var manifest = manifest("server", "/server/{path*}")
        manifest.handler.contract = .http
        return [manifest] + standard
    }()

    /// Agrees to WebSocket, greets, and gives back what comes.
    private static let agree: Responder = { head, body, _, _, _ async throws(Problem) in
        guard case .stream(let input) = body, head.headers.first("Upgrade") == "websocket" else {
            return Reply(head: ResponseHead(status: 400), body: .empty)
        }
        let output = BodyStream()
        output.write(ByteBuffer(string: "welcome "))
        // Ends with its input.
        Task {
            while let chunk = try? await input.next() { output.write(chunk) }
            output.finish()
        }
        let headers = [HeaderField("Sec-WebSocket-Accept", "x"), HeaderField("Connection", "Upgrade")]
        return Reply(head: ResponseHead(status: 101, headers: headers), body: .stream(output))
    }

    private static let request =
        "GET /server/chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"

    @Test("after 101, bytes go both ways as they are, until both sides have ended")
    func upgrade() async throws {
        try await withGateway(Self.server, respond: Self.agree) { world in
            let client = try world.client()
            // What is sent before the answer is no request.
            try await client.send(Self.request + "GET / early ")
            try await client.send("and late")
            client.closeOutput()
            let text = try await client.receiveToEnd()
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
            #expect(parts.first?.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n") == true)
            #expect(parts.first?.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n") == true)
            #expect(parts.first?.contains("close") == false)
            #expect(parts.last == "welcome GET / early and late")
        }
    }

    @Test("much goes through, at the pace of the slower side")
    func pace() async throws {
        try await withGateway(Self.server, respond: Self.agree) { world in
            let client = try world.client()
            try await client.send(Self.request)
            let bytes = [UInt8](repeating: 7, count: 4 << 20)
            async let sent: Void = client.send(bytes)
            async let received = client.receiveToEnd()
            try await sent
            client.closeOutput()
            let count = try await received.utf8.count
            #expect(count > bytes.count + 8)
        }
    }

    @Test("a function that does not agree answers as ever, and the connection is closed")
    func declined() async throws {
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            Reply(head: ResponseHead(status: 200), body: .empty)
        }
        try await withGateway(Self.server, respond: respond) { world in
            let client = try world.client()
            try await client.send(Self.request)
            let answer = try await client.receive()
            #expect(answer.status == 200)
            #expect(answer.headers.first("Connection") == "close")
            #expect(try await client.isClosed())
        }
    }

    @Test("a client that sends on after the end, and never closes its side, is waited for no longer than others")
    func sendsOn() async throws {
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            Reply(head: ResponseHead(status: 200), body: .empty)
        }
        try await withGateway(Self.server, configure: { $0.lingerTime = .milliseconds(500) }, respond: respond) {
            world in
            let client = try world.client()
            try await client.send(Self.request)
            #expect(try await client.receive().status == 200)
            // The socket may be gone already.
            try? await client.send("a frame")
            #expect(await eventually { world.gateway.connectionCount == 0 })
        }
    }

    @Test(
        "no function but a server hears of an offer, and none of another protocol",
        arguments: [
            "GET /echo/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET /server/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "GET /server/x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
            "POST /server/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
        ])
    func notOffered(_ request: String) async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            Reply(head: ResponseHead(status: head.headers.first("Upgrade") == nil ? 200 : 400), body: .empty)
        }
        try await withGateway(Self.server, respond: respond) { world in
            let status = try await world.answer(request).status
            #expect(status == 200)
        }
    }

    @Test("a function that changes the protocol unasked has given no response")
    func unasked() async throws {
        try await withGateway(Self.server, respond: Self.unaskedReply) { world in
            let status = try await world.answer("GET /server/x HTTP/1.1\r\nHost: a\r\n\r\n").status
            #expect(status == 502)
        }
    }

    private static let unaskedReply: Responder = { _, _, _, _, _ async throws(Problem) in
        Reply(head: ResponseHead(status: 101), body: .stream(BodyStream()))
    }

    @Test("trailers of a request reach the function")
    func requestTrailers() async throws {
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            guard case .stream(let stream) = body else { return Reply(head: ResponseHead(status: 400), body: .empty) }
            while (try? await stream.next()) != nil {}
            let text = stream.trailers.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
            return Reply(head: ResponseHead(status: 200), body: .bytes(ByteBuffer(string: text)))
        }
        try await withGateway(Self.server, respond: respond) { world in
            let answer = try await world.answer(
                "POST /server/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nSum: 7\r\n\r\n")
            #expect(answer.text == "Sum=7")
        }
    }

    @Test("trailers of a response reach a client that takes them, and no other", arguments: [true, false])
    func responseTrailers(_ takes: Bool) async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            let stream = BodyStream()
            stream.write(ByteBuffer(string: "body"))
            stream.finish(trailers: [HeaderField("Sum", "7"), HeaderField("Content-Length", "9")])
            let headers = [HeaderField("Trailer", "Sum"), HeaderField("Said", head.headers.first("TE") ?? "none")]
            return Reply(head: ResponseHead(status: 200, headers: headers), body: .stream(stream))
        }
        try await withGateway(Self.server, respond: respond) { world in
            let client = try world.client()
            let accept = takes ? "TE: trailers\r\n" : ""
            try await client.send("GET /server/x HTTP/1.1\r\nHost: a\r\n\(accept)Connection: TE, close\r\n\r\n")
            let text = try await client.receiveToEnd()
            #expect(text.hasSuffix(takes ? "4\r\nbody\r\n0\r\nSum: 7\r\n\r\n" : "4\r\nbody\r\n0\r\n\r\n"))
            #expect(text.contains("Trailer: Sum") == takes)
            #expect(text.contains(takes ? "Said: trailers" : "Said: none"))
        }
    }
}
