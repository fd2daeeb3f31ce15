import Engine
import Events
import Gateway
import NIOCore
import Support
import Testing
import Workers

/// How connections begin and end.
@Suite struct ConnectionTests {
    /// Tells when it runs and when it was cancelled.
    struct Watched: Sendable {
        let runs = Moment()
        let cancelled = Moment()
        let goOn = Moment()

        var respond: Responder {
            { head, body, function, id, lane async throws(Problem) in
                guard head.query.isEmpty else { return try await echo(head, body, function, id, lane) }
                self.runs.happen()
                do { try await self.goOn.wait() } catch { self.cancelled.happen() }
                return try await echo(head, body, function, id, lane)
            }
        }
    }

    // MARK: Time

    @Test("a client that takes too long for its head gets 408")
    func slowHead() async throws {
        try await withGateway(configure: { $0.headerTime = .seconds(2) }) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHo")
            #expect(try await client.receive().status == 408)
            #expect(try await client.isClosed())
        }
    }

    @Test("a client that sends its head byte by byte does not win time with each")
    func drippingHead() async throws {
        try await withGateway(configure: {
            $0.headerTime = .seconds(1)
            $0.headerBytes = 1 << 30
        }) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nX: ")
            let sender = Task {
                while !Task.isCancelled, (try? await client.send("y")) != nil {}
            }
            #expect(try await client.receive().status == 408)
            sender.cancel()
        }
    }

    @Test("a client that says nothing is closed without an answer")
    func silent() async throws {
        try await withGateway(configure: { $0.headerTime = .milliseconds(100) }) { world in
            let client = try world.client()
            #expect(try await client.isClosed())
        }
    }

    @Test("an idle connection is closed")
    func idle() async throws {
        try await withGateway(configure: { $0.idleTime = .milliseconds(100) }) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.receive().status == 200)
            #expect(try await client.isClosed())
        }
    }

    @Test("a body that stalls is answered 408, and its call cancelled", arguments: [true, false])
    func stalledBody(isCollected: Bool) async throws {
        let watched = Watched()
        try await withGateway(
            configure: {
                $0.bodyTime = .milliseconds(100); $0.collectedBody = isCollected ? 10 : 1
            },
            respond: watched.respond
        ) { world in
            let client = try world.client()
            try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
            #expect(try await client.receive().status == 408)
            #expect(try await client.isClosed())
            if !isCollected { try await watched.cancelled.wait() }
        }
    }

    @Test("a client that stops reading its response is cut off")
    func stalledReader() async throws {
        let cancelled = Moment()
        let respond: Responder = { _, _, _, _, _ async throws(Problem) in
            let chunk = ByteBuffer(repeating: 0x62, count: 64 << 10)
            let stream = Source.stream(onCancel: { cancelled.happen() }) { while $0.write(chunk) {} }
            return Reply(head: ResponseHead(status: 200), body: .stream(stream))
        }
        try await withGateway(configure: { $0.writeTime = .milliseconds(200) }, respond: respond) { world in
            let client = try world.client(receiveBuffer: 64 << 10)
            try await client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
            try await cancelled.wait()
            #expect(await eventually { world.gateway.connectionCount == 0 })
        }
    }

    @Test("a function may take longer than every limit of the gateway")
    func patience() async throws {
        let watched = Watched()
        let short = Duration.milliseconds(50)
        try await withGateway(
            configure: {
                $0.headerTime = short
                $0.idleTime = short
                $0.bodyTime = short
                $0.writeTime = short
            }, respond: watched.respond
        ) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            try await watched.runs.wait()
            // Another connection runs into its limit meanwhile.
            #expect(try await world.client().isClosed())
            #expect(try await world.client().isClosed())
            watched.goOn.happen()
            #expect(try await client.receive().status == 200)
        }
    }

    // MARK: Clients that go

    @Test("a client that closes cancels its call")
    func disconnect() async throws {
        let watched = Watched()
        try await withGateway(respond: watched.respond) { world in
            var client: Client? = try world.client()
            try await client?.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            try await watched.runs.wait()
            client = nil
            try await watched.cancelled.wait()
            #expect(await eventually { world.gateway.connectionCount == 0 })
        }
    }

    @Test("a client that closes with requests on their way cancels its call as well")
    func disconnectWhilePipelining() async throws {
        let watched = Watched()
        try await withGateway(respond: watched.respond) { world in
            var client: Client? = try world.client()
            let more = String(repeating: "GET /hello?more HTTP/1.1\r\nHost: x\r\n\r\n", count: 20)
            try await client?.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" + more)
            try await watched.runs.wait()
            client = nil
            try await watched.cancelled.wait()
        }
    }

    @Test("a client that closes cancels its call, also one that came behind a stream that had ended already")
    func disconnectBehindStream() async throws {
        let (watched, first) = (Watched(), Moment())
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            guard head.query == "stream" else { return try await watched.respond(head, body, function, id, lane) }
            try? await first.wait()
            let stream = BodyStream()
            stream.write(ByteBuffer(string: "all"))
            stream.finish()
            return Reply(head: ResponseHead(status: 200), body: .stream(stream))
        }
        try await withGateway(respond: respond) { world in
            var client: Client? = try world.client()
            let request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            try await client?.send("GET /hello?stream HTTP/1.1\r\nHost: x\r\n\r\n" + request)
            first.happen()
            #expect(try await client?.receive().text == "all")
            try await watched.runs.wait()
            client = nil
            try await watched.cancelled.wait()
        }
    }

    @Test("a client that closes in the middle of its upload ends its call")
    func disconnectWhileUploading() async throws {
        let failed = Moment()
        let respond: Responder = { _, body, _, _, _ async throws(Problem) in
            guard case .stream(let stream) = body else { return Reply(head: ResponseHead(status: 500), body: .empty) }
            do { while let chunk = try await stream.next() { _ = chunk } } catch { failed.happen() }
            return Reply(head: ResponseHead(status: 200), body: .empty)
        }
        try await withGateway(respond: respond) { world in
            var client: Client? = try world.client()
            try await client?.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            client = nil
            try await failed.wait()
        }
    }

    @Test("a client that only closes its side after the request gets its answer")
    func halfClose() async throws {
        let watched = Watched()
        try await withGateway(respond: watched.respond) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\n\r\n")
            try await watched.runs.wait()
            client.closeOutput()
            // The interim response shows that the gateway has noticed.
            #expect(try await client.receive().status == 100)
            watched.goOn.happen()
            #expect(try await client.receive().status == 200)
            let last = try await client.receive()
            #expect(last.headers.first("Query") == "2")
            #expect(last.headers.first("Connection") == "close")
            #expect(try await client.isClosed())
        }
    }

    @Test("a client that has said farewell is not waited for")
    func lastRequest() async throws {
        try await withGateway(configure: { $0.lingerTime = .seconds(600) }) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try await client.receive().status == 200)
            #expect(await eventually { world.gateway.connectionCount == 0 })
        }
    }

    // MARK: Limits

    @Test("a connection beyond the limit is answered 503, and there is room again when one ends")
    func connectionLimit() async throws {
        try await withGateway(configure: { $0.connections = 2 }) { world in
            let request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            var clients = try (0..<2).map { _ in try world.client() }
            for client in clients {
                try await client.send(request)
                #expect(try await client.receive().status == 200)
            }
            let surplus = try world.client()
            try await surplus.send(request)
            let response = try await surplus.receive()
            #expect(response.status == 503)
            #expect(response.headers.first("Retry-After") == "1")
            #expect(try await surplus.isClosed())
            clients.removeLast()
            #expect(await eventually { world.gateway.connectionCount < 2 })
            #expect(try await world.answer(request).status == 200)
        }
    }

    @Test("an address in use is reported with what to do")
    func addressInUse() async throws {
        try await withGateway { world in
            let error = await #expect(throws: GatewayError.self) {
                try await withGateway(configure: { $0.port = world.port }) { _ in }
            }
            #expect(error?.code == .inUse)
            #expect(error?.description.hasPrefix("cannot listen on 127.0.0.1:\(world.port): another program") == true)
        }
    }

    @Test(
        "an address that is not ours is reported with what to do",
        arguments: [("203.0.113.1", GatewayError.Code.notAvailable), ("no such host", .address)])
    func badAddress(host: String, code: GatewayError.Code) async throws {
        let error = await #expect(throws: GatewayError.self) {
            try await withGateway(configure: { $0.host = host }) { _ in }
        }
        #expect(error?.code == code)
    }

    // MARK: Shutdown

    @Test("draining closes idle connections, lets running requests end, and takes no new ones")
    func drain() async throws {
        let watched = Watched()
        // With one lane, who sees the idle connection end knows that the other one has been told.
        try await withGateway(lanes: 1, respond: watched.respond) { world in
            let idle = try world.client()
            try await idle.send("GET /hello?idle HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await idle.receive().status == 200)
            let running = try world.client()
            try await running.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            try await watched.runs.wait()
            async let drained: Void = world.gateway.drain(within: .seconds(60))
            #expect(try await idle.isClosed())
            #expect(throws: Client.Failure.self) { try world.client() }
            watched.goOn.happen()
            let response = try await running.receive()
            #expect(response.status == 200)
            #expect(response.headers.first("Connection") == "close")
            #expect(try await running.isClosed())
            await drained
            #expect(world.gateway.connectionCount == 0)
        }
    }

    @Test("requests that come while the host drains are answered, and told that the connection ends")
    func farewell() async throws {
        try await withGateway(configure: { $0.farewellTime = .seconds(600) }) { world in
            let used = try world.client()
            try await used.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await used.receive().headers.first("Connection") == nil)
            let new = try world.client()
            async let drained: Void = world.gateway.drain(within: .seconds(60))
            // The connection learns of it a little later than the gateway.
            let isTold = try await eventually {
                try await used.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                let response = try await used.receive()
                #expect(response.status == 200)
                return response.headers.first("Connection") == "close"
            }
            #expect(isTold)
            #expect(try await used.isClosed())
            try await new.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await new.receive().status == 200)
            #expect(try await new.isClosed())
            await drained
        }
    }

    @Test("a socket that was passed goes on listening: who comes between two hosts is served by the next")
    func passedSocket() async throws {
        let listener = try ListeningPort()
        // Each host owns a descriptor of the one socket.
        try await withGateway(configure: { $0.inherited = [listener.duplicate()] }) { first in
            #expect(first.port == listener.port)
            let answer = try await first.answer("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.status == 200)
        }
        let client = try Client(port: listener.port, receiveBuffer: nil)
        try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        try await withGateway(configure: { $0.inherited = [listener.duplicate()] }) { _ in
            let answer = try await client.receive()
            #expect(answer.status == 200)
        }
    }

    @Test("what is passed and does not listen is refused, with what to do")
    func passedFile() async throws {
        let error = await #expect(throws: GatewayError.self) {
            try await withGateway(configure: { $0.inherited = [2] }) { _ in }
        }
        #expect(error?.description.contains("descriptor 2") == true)
        #expect(error?.description.contains("ListenStream=") == true)
    }

    @Test("what has not ended when the time for draining is over is cancelled, and its client told")
    func drainTime() async throws {
        let watched = Watched()
        try await withGateway(respond: watched.respond) { world in
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            try await watched.runs.wait()
            await world.gateway.drain(within: .milliseconds(20))
            try await watched.cancelled.wait()
            let response = try await client.receive()
            #expect(response.status == 503)
            #expect(response.text.contains("urn:apus:problem:stopping"))
            #expect(try await client.isClosed())
        }
    }

    @Test("cancelling the service stops it at once")
    func cancellation() async throws {
        let watched = Watched()
        try await withGateway(respond: watched.respond) { world in
            let service = Task { try await world.gateway.run() }
            let client = try world.client()
            try await client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            try await watched.runs.wait()
            service.cancel()
            try await service.value
            try await watched.cancelled.wait()
        }
    }
}
