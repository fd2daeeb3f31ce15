import Engine
import Events
import Gateway
import NIOCore
import Support
import Synchronization
import Testing
import Workers

@Suite struct BodyTests {
    /// Tells whether the body came whole, and echoes it.
    static let telling: Responder = { _, body, _, _, _ async throws(Problem) in
        var kind = "stream"
        if case .bytes = body { kind = "bytes" }
        return Reply(head: ResponseHead(status: 200, headers: [HeaderField("Kind", kind)]), body: body)
    }

    @Test("up to the limit a body is collected; larger and chunked ones are streamed", arguments: [true, false])
    func collected(isSmall: Bool) async throws {
        try await withGateway(configure: { $0.collectedBody = 10 }, respond: Self.telling) { world in
            let client = try world.client()
            let body = isSmall ? "0123456789" : "0123456789a"
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
            for byte in body.utf8 { try await client.send([byte]) }
            let response = try await client.receive()
            #expect(response.text == body)
            #expect(response.headers.first("Kind") == (isSmall ? "bytes" : "stream"))
            #expect(response.headers.first("Transfer-Encoding") == (isSmall ? nil : "chunked"))
        }
    }

    @Test("a collected body holds no worker while it is on its way")
    func slowUpload() async throws {
        let called = Mutex(false)
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            called.withLock { $0 = true }
            return try await echo(head, body, function, id, lane)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            let other = try await world.answer("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(other.status == 404)
            #expect(called.withLock { $0 } == false)
            try await client.send("b")
            #expect(try await client.receive().text == "ab")
        }
    }

    @Test("chunks go both ways, and the connection is kept")
    func chunks() async throws {
        try await withGateway { world in
            let client = try world.client()
            for _ in 0..<3 {
                try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                try await client.send("3\r\nabc\r\n")
                try await client.send("2;extension=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n")
                let response = try await client.receive()
                #expect(response.headers.first("Transfer-Encoding") == "chunked")
                #expect(response.text == "abcde")
            }
        }
    }

    @Test(
        "a call learns why the rest of its request does not come",
        arguments: [("xyz\r\n", "A chunk is not valid"), ("", "The client closed before the body was complete")])
    func brokenUpload(rest: String, reason: String) async throws {
        let failed = Moment()
        let failure = Mutex("")
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            do {
                if case .stream(let stream) = body { while try await stream.next() != nil {} }
            } catch {
                failure.withLock { $0 = "\(error)" }
                failed.happen()
            }
            return Reply(head: ResponseHead(status: 200), body: .empty)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            try await client.send("3\r\nabc\r\n" + rest)
            client.closeOutput()
            try await failed.wait()
            let told = failure.withLock { $0 }
            #expect(told.contains(reason))
        }
    }

    @Test("a stream of unknown length ends with the connection for HTTP/1.0")
    func untilClose() async throws {
        try await withGateway(configure: { $0.collectedBody = 0 }) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc")
            let response = try await client.receiveToEnd()
            #expect(response.hasSuffix("\r\n\r\nabc"))
            #expect(response.contains("Connection: close"))
            #expect(!response.contains("chunked"))
        }
    }

    @Test("100 Continue comes when the body is wanted", arguments: ["Content-Length: 3", "Transfer-Encoding: chunked"])
    func expectations(framing: String) async throws {
        try await withGateway { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\(framing)\r\n\r\n")
            #expect(try await client.receive().status == 100)
            try await client.send(framing.contains("3") ? "abc" : "3\r\nabc\r\n0\r\n\r\n")
            let response = try await client.receive()
            #expect(response.status == 200)
            #expect(response.text == "abc")
            #expect(response.headers.first("Connection") == nil)
        }
    }

    @Test("10 MiB go both ways")
    func large() async throws {
        try await withGateway { world in
            let client = try world.client()
            let body = (0..<(10 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n")
            async let response = client.receive()
            try await client.send(body)
            #expect(try await response.body == body)
        }
    }

    @Test("a function that does not read holds the upload back, and gets all of it later")
    func uploadPressure() async throws {
        let goOn = Moment()
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            try? await goOn.wait()
            guard case .stream(let stream) = body else { return Reply(head: ResponseHead(status: 500), body: .empty) }
            var count = 0
            while let chunk = try? await stream.next() { count += chunk.readableBytes }
            return Reply(head: ResponseHead(status: 200), body: .bytes(ByteBuffer(string: "\(count)")))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            let size = 20 << 20
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
            let sent = try await client.sendUntilBlocked([UInt8](repeating: 0x61, count: size))
            // What is in neither socket buffer must be in ours: our part of it is bounded.
            #expect(sent < size)
            goOn.happen()
            try await client.send([UInt8](repeating: 0x61, count: size - sent))
            #expect(try await client.receive().text == "\(size)")
        }
    }

    @Test("a client that does not read holds the function's stream back, and gets all of it later")
    func downloadPressure() async throws {
        let written = Mutex(0)
        let chunk = ByteBuffer(repeating: 0x62, count: 64 << 10)
        let size = 20 << 20
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            guard head.query.isEmpty else { return try await echo(head, body, function, id, lane) }
            let stream = Source.stream { stream in
                while written.withLock({ $0 }) < size {
                    written.withLock { $0 += chunk.readableBytes }
                    if !stream.write(chunk) { return }
                }
                stream.finish()
            }
            return Reply(head: ResponseHead(status: 200), body: .stream(stream))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client(receiveBuffer: 64 << 10)
            try await client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
            try await client.skip(1000)
            // More turns of both lanes' loops than it would take to make everything.
            for other in [try world.client(), try world.client()] {
                for _ in 0..<(size / chunk.readableBytes) {
                    try await other.send("GET /echo?other HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = try await other.receive()
                }
            }
            // Both ends of the connection are on this machine: what is not in their buffers has not been made yet.
            #expect(written.withLock { $0 } < size)
            let rest = try await client.receiveToEndOfChunks()
            #expect(rest > size - 1000)
            #expect(written.withLock { $0 } == size)
        }
    }

    @Test("a stream that fails in the middle ends the connection, so that nobody takes it for complete")
    func truncated() async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            let stream = BodyStream()
            stream.write(ByteBuffer(string: "half"))
            stream.fail(CancellationError())
            let headers = head.query == "length" ? [HeaderField("Content-Length", "8")] : []
            return Reply(head: ResponseHead(status: 200, headers: headers), body: .stream(stream))
        }
        try await withGateway(respond: respond) { world in
            for query in ["", "length"] {
                let client = try world.client()
                try await client.send("GET /echo?\(query) HTTP/1.1\r\nHost: x\r\n\r\n")
                await #expect(throws: Client.Failure.self) { try await client.receive() }
            }
        }
    }

    @Test("a stream must keep to the length that its function declares", arguments: ["3", "4", "5"])
    func declaredLength(length: String) async throws {
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            let stream = BodyStream()
            stream.write(ByteBuffer(string: "four"))
            stream.finish()
            let head = ResponseHead(status: 200, headers: [HeaderField("Content-Length", length)])
            return Reply(head: head, body: .stream(stream))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
            if length == "4" {
                #expect(try await client.receive().text == "four")
            } else {
                await #expect(throws: Client.Failure.self) { try await client.receive() }
            }
        }
    }

    @Test("HEAD to a stream gets no body, and the stream is cancelled")
    func headOfStream() async throws {
        let cancelled = Moment()
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            let stream = BodyStream(onCancel: { cancelled.happen() })
            stream.write(ByteBuffer(string: "four"))
            return Reply(head: ResponseHead(status: 200), body: .stream(stream))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive(toHead: true).headers.first("Transfer-Encoding") == nil)
            #expect(try await client.receive().status == 404)
            try await cancelled.wait()
        }
    }

    @Test(
        "a client that leaves while it is written to ends the stream", .timeLimit(.minutes(1)),
        arguments: [true, false])
    func leaves(beforeHead: Bool) async throws {
        let (begun, cancelled) = (Moment(), Moment())
        let stream = BodyStream(onCancel: { cancelled.happen() })
        let leave = Mutex<@Sendable () -> Void>({})
        let respond: Responder = { _, _, _, _, lane async throws(Problem) in
            if beforeHead {
                leave.withLock { $0 }()
            } else {
                stream.write(ByteBuffer(string: "four"))
                // The lane does not look at its sockets between the two.
                lane.loop.execute {
                    leave.withLock { $0 }()
                    stream.write(ByteBuffer(repeating: 0x62, count: 1 << 20))
                }
            }
            begun.happen()
            return Reply(head: ResponseHead(status: 200), body: .stream(stream))
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            leave.withLock { $0 = { client.reset() } }
            try await client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
            try await begun.wait()
            try await cancelled.wait()
        }
    }

    @Test("an answer before the body's end leaves a short rest unread and keeps the connection")
    func unreadBody() async throws {
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            if case .stream(let stream) = body { stream.cancel() }
            return Reply(head: ResponseHead(status: 202), body: .empty)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            #expect(try await client.receive().status == 202)
            try await client.send("3\r\nabc\r\n0\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive().status == 404)
        }
    }

    @Test("a function that wants no body is heard nevertheless, however much of it comes before its answer")
    func unwantedBody() async throws {
        let (refused, came) = (Moment(), Moment())
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            if case .stream(let stream) = body { stream.cancel() }
            refused.happen()
            try? await came.wait()
            return Reply(head: ResponseHead(status: 401), body: .empty)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n\r\n")
            try await refused.wait()
            // How much of it the gateway reads before the answer is open: more than it would to save the connection, or less.
            try await client.send(String(repeating: "x", count: 1_499_999))
            came.happen()
            let answer = try await client.receive()
            #expect(answer.status == 401)
            #expect(answer.headers.first("Connection") == "close")
        }
    }

    @Test("nobody's body of more than 64 KiB closes the connection behind an answer that says so")
    func unroutedBody() async throws {
        try await withGateway(respond: Self.telling) { world in
            let client = try world.client()
            try await client.send("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
            let answer = try await client.receive()
            #expect(answer.status == 404)
            #expect(answer.headers.first("Connection") == "close")
        }
    }

    @Test("an answer while much of the body is to come says that the connection closes", arguments: [3, 70_000])
    func longUnreadBody(rest: Int) async throws {
        let length = 2 << 20
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            guard case .stream(let stream) = body else { return Reply(head: ResponseHead(status: 500), body: .empty) }
            var read = 0
            while read < length - rest, let chunk = try? await stream.next() { read += chunk.readableBytes }
            return Reply(head: ResponseHead(status: 401), body: .empty)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\r\n")
            try await client.send(String(repeating: "x", count: length - rest))
            let answer = try await client.receive()
            #expect(answer.status == 401)
            #expect(answer.headers.first("Connection") == (rest == 3 ? nil : "close"))
            try await client.send(String(repeating: "x", count: rest))
            if rest == 3 {
                try await client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.receive().status == 404)
            } else {
                #expect(try await client.isClosed())
            }
        }
    }

    @Test("a chunked body past the limit is refused while it comes, and its call is cancelled")
    func tooLarge() async throws {
        let cancelled = Moment()
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            guard case .stream(let stream) = body else { return Reply(head: ResponseHead(status: 500), body: .empty) }
            while let chunk = try? await stream.next() { _ = chunk }
            if Task.isCancelled { cancelled.happen() }
            return Reply(head: ResponseHead(status: 200), body: .empty)
        }
        try await withGateway(respond: respond) { world in
            let client = try world.client()
            try await client.send("POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
            try await client.send("6\r\nabcdef\r\n")
            #expect(try await client.receive().status == 413)
            try await cancelled.wait()
            #expect(try await client.isClosed())
        }
    }
}

/// A stream that is filled on demand.
enum Source {
    static func stream(
        onCancel: @escaping @Sendable () -> Void = {}, _ fill: @escaping @Sendable (BodyStream) -> Void
    ) -> BodyStream {
        let filler = Filler(fill)
        let stream = BodyStream(onDemand: { filler.run() }, onCancel: onCancel)
        filler.begin(stream)
        return stream
    }

    private final class Filler: Sendable {
        private let stream = Mutex<BodyStream?>(nil)
        private let fill: @Sendable (BodyStream) -> Void

        init(_ fill: @escaping @Sendable (BodyStream) -> Void) { self.fill = fill }

        func begin(_ new: BodyStream) {
            stream.withLock { $0 = new }
            run()
        }

        func run() {
            if let stream = stream.withLock({ $0 }) { fill(stream) }
        }
    }
}
