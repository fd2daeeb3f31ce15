import Events
import Glibc
import Manifests
import NIOCore
import Support
import Testing
import Workers

/// What is particular to workers that are servers.
@Suite("A worker that is an HTTP server", .timeLimit(.minutes(2)))
struct HTTPWorkerTests {
    private func withServer<Result>(
        _ adjust: (inout Manifest) -> Void = { _ in }, _ body: (World) async throws -> Result
    ) async throws -> Result {
        try await World.with(Handlers.server(.echo, [.http(Handlers.anyPath)], adjust), body)
    }

    // MARK: Start

    @Test("is ready once its health path answers 2xx, and not before")
    func health() async throws {
        try await withServer {
            $0.handler.health = "/healthz"
            $0.environment["SERVER_START"] = "unwell"
        } _: { world in
            // It was asked until it was well, and after that came the first request.
            let asked = try await world.request("/asked-for-health").text()
            #expect(asked == "4")
        }
    }

    @Test("that listens on the address of IPv6 alone is found there")
    func otherFamily() async throws {
        try await withServer {
            $0.environment["HOST"] = "::1"
        } _: { world in
            let text = try await world.request("/echo", body: .bytes(ByteBuffer(string: "hello"))).text()
            #expect(text == "hello")
        }
    }

    @Test("that dies while it starts fails its calls with its reason, and backs off")
    func crashAtStart() async throws {
        try await withServer {
            $0.environment["SERVER_START"] = "crash"
        } _: { world in
            let failure = try await world.failure(of: "/echo")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("before it was ready: killed by SIGKILL"))
        }
    }

    // MARK: Connections

    @Test("gets its requests on one connection, one after the other")
    func keepAlive() async throws {
        try await withServer { world in
            let first = try await world.request("/connection", method: "GET").text()
            for _ in 0..<10 {
                let next = try await world.request("/connection", method: "GET").text()
                #expect(next == first)
            }
        }
    }

    @Test("that closes an idle connection is asked on another")
    func idleClose() async throws {
        try await withServer { world in
            for _ in 0..<20 {
                let text = try await world.request("/close-silently", method: "GET").text()
                #expect(text == "closing\n")
            }
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("runs as many calls at once as it may, each on a connection of its own")
    func concurrency() async throws {
        try await withServer {
            $0.workers.concurrency = 10
            $0.workers.max = 1
        } _: { world in
            async let held = world.request("/trickle", method: "GET")
            let stream = try #require(try await held.stream)
            let first = try await stream.next().map { String(buffer: $0) }
            #expect(first == "data: first\n\n")
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await world.request("/echo", body: .bytes(ByteBuffer(string: "\(number)"))).text()
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(answers.count == 50)
            _ = try await world.request("/release")
            let second = try await stream.next().map { String(buffer: $0) }
            #expect(second == "data: second\n\n")
            #expect(try await stream.next() == nil)
            #expect(world.pool.snapshot.started == 1)
        }
    }

    // MARK: Messages

    @Test("sees the request as the client has sent it, with what the host knows of the client")
    func fields() async throws {
        try await withServer { world in
            let id = InvocationID()
            let response = try await world.request("/a%20b/fields", query: "x=1&y=%2F", method: "PUT", id: id)
            let lines = try await response.text().split(separator: "\n").map(String.init)
            #expect(
                lines == [
                    "PUT /a%20b/fields?x=1&y=%2F", "Apus-Invocation: \(id)", "Content-Length: 0",
                    "Content-Type: text/plain", "Forwarded: for=127.0.0.1;proto=http", "Host: localhost",
                    "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
                ])
            #expect(response.head.headers.first("X-Public") == "2")
            #expect(["Connection", "Keep-Alive", "X-Private"].allSatisfy { response.head.headers.first($0) == nil })
        }
    }

    @Test(
        "hears of other clients only from a proxy on this machine, and only by names as they are",
        arguments: [
            ("192.0.2.7:5000", []),
            ("127.0.0.1:5000", ["X-Forwarded-Port: 443", "X-Forwarded-Prefix: /shop", "X-Real-Ip: 1.2.3.4"]),
        ])
    func claims(remote: String, passed: [String]) async throws {
        let claims = [
            ("X-Forwarded-Port", "443"), ("x-forwarded-prefix", "/shop"), ("X-Real-IP", "1.2.3.4"),
            ("X_Forwarded_For", "1.2.3.4"), ("X-Forwarded_Proto", "https"), ("x_real-ip", "1.2.3.4"),
            ("Apus_Invocation", "another"), ("X_Forward", "kept"),
        ]
        try await withServer { world in
            let response = try await world.request(
                "/fields", headers: claims.map { HeaderField($0.0, $0.1) }, remote: remote)
            let lines = try await response.text().split(separator: "\n").map { $0.lowercased() }
            let own = ["x-forwarded-for", "x-forwarded-proto"]
            let found = lines.filter { line in
                ["x-", "x_", "apus_"].contains { line.hasPrefix($0) } && !own.contains { line.hasPrefix($0 + ": ") }
            }
            #expect(Set(found) == Set(passed.map { $0.lowercased() } + ["x_forward: kept"]))
            #expect(lines.contains("x-forwarded-proto: http"))
        }
    }

    @Test("may say things before its answer, which go nowhere")
    func interim() async throws {
        try await withServer { world in
            let response = try await world.request("/interim", method: "GET")
            #expect(try await response.text() == "final\n")
        }
    }

    @Test("may end its answer with the connection, as in HTTP/1.0")
    func unsized() async throws {
        try await withServer { world in
            for _ in 0..<2 {
                let text = try await world.request("/unsized", method: "GET").text()
                #expect(text == "to the end")
            }
        }
    }

    @Test("answers HEAD with the length that GET would have")
    func head() async throws {
        try await withServer { world in
            let response = try await world.request("/status", query: "status=204", method: "HEAD")
            #expect(response.head.status == 204)
            let sized = try await world.request("/pid", method: "HEAD")
            #expect(Int(sized.head.headers.first("Content-Length") ?? "") ?? 0 > 0)
            #expect(try await sized.bytes().readableBytes == 0)
        }
    }

    @Test("gets trailers and gives some, without those that would come too late")
    func trailers() async throws {
        try await withServer { world in
            let body = BodyStream()
            body.write(ByteBuffer(string: "body "))
            body.finish(trailers: [HeaderField("X-Sum", "7"), HeaderField("Cache-Control", "no-store")])
            let response = try await world.request("/trailers", body: .stream(body))
            let stream = try #require(response.stream)
            var text = ""
            while let chunk = try await stream.next() { text += String(buffer: chunk) }
            #expect(text == "body X-Sum: 7")
            #expect(stream.trailers == [HeaderField("Checksum", "abc")])
        }
    }

    @Test("carries a body both ways at once, piece by piece")
    func echoStream() async throws {
        try await withServer { world in
            let body = BodyStream()
            async let answer = world.request("/echo-stream", body: .stream(body))
            body.write(ByteBuffer(string: "one"))
            let stream = try #require(try await answer.stream)
            #expect(try await stream.next().map { String(buffer: $0) } == "one")
            body.write(ByteBuffer(string: "two"))
            #expect(try await stream.next().map { String(buffer: $0) } == "two")
            body.finish()
            #expect(try await stream.next() == nil)
        }
    }

    @Test("may change to WebSocket, after which bytes go both ways as they are")
    func upgrade() async throws {
        try await withServer { world in
            let body = BodyStream()
            let response = try await world.upgrade("/upgrade", body: body)
            #expect(response.head.status == 101)
            #expect(response.head.headers.first("Upgrade") == "websocket")
            #expect(response.head.headers.first("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            let stream = try #require(response.stream)
            var text = ""
            while text.utf8.count < 8, let chunk = try await stream.next() { text += String(buffer: chunk) }
            #expect(text == "welcome ")
            body.write(ByteBuffer(string: "to you"))
            #expect(try await stream.next().map { String(buffer: $0) } == "to you")
            body.finish()
            #expect(try await stream.next() == nil)
            #expect(await eventually { world.pool.snapshot.running == 0 })
        }
    }

    @Test("may decline to change to WebSocket")
    func declinedUpgrade() async throws {
        try await withServer { world in
            let response = try await world.upgrade("/pid", body: BodyStream())
            #expect(response.head.status == 200)
        }
    }

    // MARK: What goes wrong

    @Test("that hangs up without an answer fails the call alone", arguments: ["hang-up", "half", "garbage"])
    func hangUp(_ operation: String) async throws {
        try await withServer { world in
            let before = try await world.request("/pid", method: "GET").text()
            let failure = try await world.failure(of: "/" + operation)
            #expect(failure.code == .contractBroken)
            let after = try await world.request("/pid", method: "GET").text()
            #expect(after == before)
        }
    }

    @Test("whose connection is reset fails the reader of an answer that ends with it")
    func reset() async throws {
        try await withServer {
            $0.workers.concurrency = 2
        } _: { world in
            let response = try await world.request("/reset", method: "GET")
            let stream = try #require(response.stream)
            #expect(try await stream.next().map { String(buffer: $0) } == "a part\n")
            _ = try? await world.request("/release")
            let failure = await #expect(throws: CallFailure.self) { while try await stream.next() != nil {} }
            #expect(failure?.code == .contractBroken)
        }
    }

    @Test("that dies in the middle of its answer fails the reader of the answer")
    func crashWhileStreaming() async throws {
        try await withServer {
            $0.workers.concurrency = 2
        } _: { world in
            let response = try await world.request("/crash-streaming", method: "GET")
            let stream = try #require(response.stream)
            #expect(try await stream.next().map { String(buffer: $0) } == "the first part\n")
            _ = try? await world.request("/release")
            let failure = await #expect(throws: CallFailure.self) { while try await stream.next() != nil {} }
            #expect(failure?.code == .workerDied)
            #expect(failure?.message.contains("SIGKILL") == true)
        }
    }

    @Test("that dies in the middle of a call leaves those in line in their order")
    func crashBeforeLine() async throws {
        try await withServer {
            ($0.workers.concurrency, $0.workers.max) = (1, 1)
        } _: { world in
            async let failure = world.failure(of: "/stubborn")
            #expect(await eventually { world.lines.first(.stderr, containing: "stubborn") != nil })
            async let first = world.request("/event", query: "call=1")
            #expect(await eventually { world.pool.snapshot.waiting == 1 })
            async let second = world.request("/event", query: "call=2")
            #expect(await eventually { world.pool.snapshot.waiting == 2 })
            let worker = try #require(world.pool.snapshot.workers.first)
            kill(worker.pid, SIGKILL)
            let code = try await failure.code
            #expect(code == .workerDied)
            _ = try await (first, second)
            // The next worker says what it gets.
            #expect(await eventually { world.lines.all.count { $0.source == .stdout } == 2 })
            let served = world.lines.all.filter { $0.source == .stdout }.map(\.text.trimmed)
            #expect(served == ["/event?call=1", "/event?call=2"])
        }
    }

    @Test("that runs several calls ends them before it goes for the one that took too long")
    func expiryAmongOthers() async throws {
        try await withServer {
            $0.workers.concurrency = 2
        } _: { world in
            async let slow = world.request("/sleep", query: "ms=3000", method: "GET").text()
            #expect(await eventually { world.pool.snapshot.running == 1 })
            let failure = try await world.failure(of: "/sleep", query: "ms=60000", time: .milliseconds(300))
            #expect(failure.code == .timedOut)
            #expect(try await slow == "done\n")
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("that runs several calls goes on when the caller of one leaves")
    func departureAmongOthers() async throws {
        try await withServer {
            $0.workers.concurrency = 2
        } _: { world in
            let before = try await world.request("/pid", method: "GET").text()
            let caller = Task { try await world.request("/stubborn", method: "GET") }
            #expect(await eventually { world.lines.first(.stderr, containing: "stubborn") != nil })
            caller.cancel()
            _ = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(await eventually { world.pool.snapshot.running == 0 })
            let after = try await world.request("/pid", method: "GET").text()
            #expect(after == before)
        }
    }
}

extension Response {
    var stream: BodyStream? {
        if case .stream(let stream) = body { stream } else { nil }
    }
}

extension World {
    /// Asks for WebSocket with the key of RFC 6455 §1.3.
    func upgrade(_ path: String, body: BodyStream) async throws -> Response {
        let head = RequestHead(
            method: "GET", path: path,
            headers: [
                HeaderField("Host", "localhost"), HeaderField("Upgrade", "websocket"),
                HeaderField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ], remoteAddress: "127.0.0.1:5000")
        let call = Call(
            invocation: Invocation(function: pool.manifest.name, cause: .request(head)), body: .stream(body),
            time: .seconds(30), state: MemoryState())
        guard case .response(let answer, let content) = try await pool.perform(call, on: lane) else {
            throw Unexpected(description: "an acknowledgement to a request")
        }
        return Response(head: answer, body: content)
    }
}
