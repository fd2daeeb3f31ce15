import Events
import Foundation
import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite("A runtime of the lambda contract", .serialized, .timeLimit(.minutes(2)))
struct LambdaTests {
    @Test("streams a response with its status, its headers and its cookies before it")
    func stream() async throws {
        try await World.with(Handlers.lambda("stream")) { world in
            let response = try await world.request("/", query: "chunks=3&size=4")
            #expect(response.head.status == 201)
            #expect(response.head.headers.first("x-kind") == "stream")
            #expect(response.head.headers.first("set-cookie") == "a=b")
            let text = try await response.text()
            #expect(text == "xxxxxxxxxxxx")
            let again = try await world.request("/", query: "chunks=1&size=4").text()
            #expect(again == "xxxx")
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("asks for its next call also where the reader of a streamed answer is slow", arguments: [262_144, 270_000])
    func slowReader(size: Int) async throws {
        try await World.with(Handlers.lambda("stream")) { world in
            let response = try await world.request("/", query: "chunks=1&size=\(size)")
            // All of it has come, and nobody has read any.
            #expect(await eventually { world.pool.snapshot.running == 0 })
            let next = try await world.request("/", query: "chunks=1&size=4", time: .seconds(20)).text()
            #expect(next == "xxxx")
            let text = try await response.text()
            #expect(text.utf8.count == size)
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("gets its 202 after the last chunk of a streamed response, and nothing before")
    func patientStream() async throws {
        try await World.with(Handlers.lambda("patientStream")) { world in
            let text = try await world.request("/").text()
            #expect(text == "hello")
            #expect(await eventually { world.lines.first(.stderr, containing: "patient") != nil })
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("streams without a head, too")
    func plainStream() async throws {
        try await World.with(Handlers.lambda("plainStream")) { world in
            let response = try await world.request("/")
            #expect(response.head == ResponseHead(status: 200, headers: [HeaderField("content-type", "text/plain")]))
            let text = try await response.text()
            #expect(text == "one two")
        }
    }

    @Test("can fail in the middle of a stream, which its reader learns, and goes on")
    func brokenStream() async throws {
        try await World.with(Handlers.lambda("brokenStream")) { world in
            for _ in 0..<2 {
                let response = try await world.request("/")
                let failure = await #expect(throws: CallFailure.self) { try await response.text() }
                #expect(failure?.functionError?.type == "Late")
                #expect(failure?.message == "the function failed: Late: too late")
            }
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("can fail before the first byte of a stream, which is an error like any other")
    func brokenStart() async throws {
        try await World.with(Handlers.lambda("brokenStart")) { world in
            for _ in 0..<2 {
                let failure = await #expect(throws: CallFailure.self) { try await world.request("/") }
                #expect(failure?.functionError?.type == "Late")
            }
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("tells its errors, with a header of 1 MiB, and goes on")
    func error() async throws {
        try await World.with(Handlers.lambda("fail")) { world in
            for _ in 0..<2 {
                let failure = try await world.failure(of: "/")
                #expect(failure.code == .handlerFailed)
                #expect(failure.message == "the function failed: ValueError: no such day")
                #expect(failure.functionError?.type == "ValueError")
            }
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("is told when its response is too large, and so is its caller")
    func large() async throws {
        try await World.with(Handlers.lambda("large")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.functionError?.type == "Function.ResponseSizeTooLarge")
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
            let died = world.lines.all.contains { $0.text.contains("exit status 1") }
            #expect(!died, "it got another status than 413")
        }
    }

    @Test("tells why it cannot start")
    func initError() async throws {
        try await World.with(Handlers.lambda("initError")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .startFailed)
            #expect(failure.message == "the function cannot be initialised: ImportError: no module named nowhere")
            #expect(failure.functionError?.type == "ImportError")
            let payload = #"{"errorType": "ImportError", "errorMessage": "no module named nowhere"}"#
            #expect(failure.functionError?.payload == Array(payload.utf8))
            #expect(await eventually { world.lines.first(.stderr, containing: "init/error 202") != nil })
        }
    }

    @Test("gets 10 s to start, or as long as a call may run", arguments: [(1, 10), (10, 10), (15, 15), (900, 900)])
    func startLimit(time: Int, limit: Int) {
        let manifest = Handlers.lambda("echo") { $0.limits.time = .seconds(time) }
        #expect(LambdaFunction(manifest).startLimit == .seconds(limit))
    }

    @Test("that never asks for an event is given up")
    func neverReady() async throws {
        try await World.with(Handlers.lambda("neverReady") { $0.limits.time = .seconds(1) }) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("did not ask for its first event within 10 s"))
        }
    }

    @Test("is told what is wrong with its requests")
    func wrong() async throws {
        try await World.with(Handlers.lambda("wrong")) { world in
            let text = try await world.request("/").text()
            #expect(text == "[400, 403, 405, 404]")
        }
    }

    @Test("is answered for when it sends what is no HTTP and ends")
    func garbage() async throws {
        try await World.with(Handlers.lambda("noise")) { world in
            let code = try await world.failure(of: "/").code
            #expect(code == .workerDied)
        }
    }

    @Test("learns the invocation's id, its deadline and its function's name")
    func context() async throws {
        try await World.with(Handlers.lambda("context")) { world in
            let id = InvocationID()
            let text = try await world.request("/", time: .seconds(20), id: id).text()
            let context = try #require(
                try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            #expect(context["Lambda-Runtime-Aws-Request-Id"] as? String == id.description)
            #expect(
                context["Lambda-Runtime-Invoked-Function-Arn"] as? String
                    == "arn:aws:lambda:us-east-1:000000000000:function:contract")
            #expect((context["Lambda-Runtime-Trace-Id"] as? String)?.hasPrefix("Root=1-") == true)
            let left = try #require(context["left"] as? Int)
            #expect((10_000...20_000).contains(left))
        }
    }

    @Test("answers what AWS's Invoke has asked, unchanged")
    func invoke() async throws {
        try await World.with(Handlers.lambda("show")) { world in
            let event = Event(
                id: "1", source: "/x", type: LambdaEvent.invokeType, time: .now(), data: Array(#"{"a": [1]}"#.utf8))
            let invocation = Invocation(function: "contract", cause: .event(.topic, event))
            let call = Call(invocation: invocation, body: .empty, time: .seconds(10), state: MemoryState())
            guard case .result(let json) = try await world.pool.perform(call, on: world.lane) else {
                throw Unexpected(description: "no result")
            }
            #expect(String(buffer: json) == #"{"statusCode": 200, "body": "{\"a\": [1]}"}"#)
        }
    }

    @Test("has one process for calls that come one after the other")
    func reuse() async throws {
        try await World.with(Handlers.lambda("pid")) { world in
            var pids: Set<String> = []
            for _ in 0..<50 { pids.insert(try await world.request("/").text()) }
            #expect(pids.count == 1)
        }
    }

    @Test("is kept when the body of a request breaks off before it has the call")
    func brokenBody() async throws {
        try await World.with(Handlers.lambda("count")) { world in
            let before = try await world.request("/").text()
            #expect(before == "0")
            let body = BodyStream()
            body.write(ByteBuffer(string: "half"))
            body.fail(Unexpected(description: "the client has gone"))
            await #expect(throws: CallFailure.self) { try await world.request("/", body: .stream(body)) }
            let after = try await world.request("/").text()
            #expect(after == "0")
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("that dies while the body of a request comes fails the call, since no other can get that body")
    func deathBeforeBody() async throws {
        try await World.with(Handlers.lambda("count")) { world in
            let taken = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let body = BodyStream(onDemand: { taken.continuation.yield() })
            body.write(ByteBuffer(repeating: 0, count: BodyStream.highWater))
            let caller = Task { try await world.request("/", body: .stream(body)) }
            for await _ in taken.stream { break }
            let worker = try #require(world.pool.snapshot.workers.first)
            kill(worker.pid, SIGKILL)
            let failure = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(failure?.code == .workerDied)
            #expect(failure?.message.contains("whose body cannot be sent twice: killed by SIGKILL") == true)
            let after = try await world.request("/").text()
            #expect(after == "0")
        }
    }

    @Test("that dies before it has come for its next call leaves that to another")
    func lingering() async throws {
        try await World.with(Handlers.lambda("linger") { $0.workers.max = 1 }) { world in
            func hears(_ text: String, times: Int) async -> Bool {
                await eventually { world.lines.all.count { $0.text == text } == times }
            }
            async let first = world.request("/").text()
            #expect(await hears("runs", times: 1))
            async let second = world.request("/").text()
            #expect(await eventually { world.pool.snapshot.waiting == 1 })
            let leaver = try #require(world.pool.snapshot.workers.first).pid
            kill(leaver, SIGUSR1)
            let served = try await first
            #expect(served == "\(leaver)")
            #expect(await hears("lingers", times: 1))
            #expect(await eventually { world.pool.snapshot.waiting == 0 && world.pool.snapshot.running == 1 })
            kill(leaver, SIGKILL)
            #expect(await hears("runs", times: 2))
            let successor = try #require(world.pool.snapshot.workers.first).pid
            kill(successor, SIGUSR1)
            let servedNext = try await second
            #expect(servedNext == "\(successor)")
        }
    }

    @Test("is ended when a call takes too long, also one that asks for its next event meanwhile")
    func eager() async throws {
        try await World.with(Handlers.lambda("eager")) { world in
            let failure = try await world.failure(of: "/", time: .seconds(1))
            #expect(failure.code == .timedOut)
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("says whose its lines are, also of those before its answer")
    func attribution() async throws {
        try await World.with(Handlers.lambda("event")) { world in
            for _ in 0..<20 {
                let id = InvocationID()
                let answer = try await world.request("/", id: id).text()
                #expect(answer == "null")
                #expect(world.lines.all.contains { $0.source == .stdout && $0.invocation == id })
            }
        }
    }
}
