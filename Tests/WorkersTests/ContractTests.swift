import Events
import Manifests
import NIOCore
import Support
import Synchronization
import Testing
import Workers

/// What every contract must do, whatever its program speaks.
@Suite("A worker of any contract", .serialized, .timeLimit(.minutes(3)))
struct ContractTests {
    @Test("gives the body back", arguments: Contract.all)
    func echo(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.echo)) { world in
            let response = try await world.request("/echo", body: .bytes(ByteBuffer(string: "hello")))
            #expect(response.head.status == 200)
            #expect(try await response.text() == "hello")
        }
    }

    @Test("carries 10 MiB both ways", arguments: Contract.all)
    func large(_ contract: Contract) async throws {
        var body = ByteBuffer()
        for number in 0..<160 { body.writeRepeatingByte(UInt8(number), count: 64 << 10) }
        let sent = body
        try await World.with(contract.manifest(.echo)) { world in
            let response = try await world.request("/echo", body: .bytes(sent))
            let same = try await response.bytes() == sent
            #expect(same)
        }
    }

    @Test("takes a body that comes in pieces", arguments: Contract.all)
    func streamedRequest(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.count)) { world in
            let body = BodyStream()
            async let response = world.request("/count", body: .stream(body))
            for _ in 0..<100 { body.write(ByteBuffer(repeating: 1, count: 10_000)) }
            body.finish()
            let count = try await response.text().trimmed
            #expect(count == "1000000")
        }
    }

    @Test("stalls while the reader of its response does, and ends when that goes on", arguments: Contract.all)
    func backPressure(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.stream)) { world in
            let response = try await world.request("/stream", query: "chunks=256&size=262144")
            guard case .stream(let stream) = response.body else { throw Unexpected(description: "no stream") }
            var total = try await stream.next()?.readableBytes ?? 0
            // Of its 64 MiB, pipes, sockets and windows take a few.
            let written = await settled { world.lines.all.count { $0.text == "wrote" } }
            #expect(written < 64)
            let running = world.pool.snapshot.running
            #expect(running == 1)
            while let chunk = try await stream.next() { total += chunk.readableBytes }
            #expect(total == 64 << 20)
            #expect(await eventually { world.lines.all.count { $0.text == "wrote" } == 256 })
            #expect(await eventually { world.pool.snapshot.running == 0 })
        }
    }

    /// A Lambda function gets the body in its event, for which the host gathers it.
    @Test(
        "lets the body of a request wait while it does not read it",
        arguments: Contract.all.filter { $0.testDescription != "lambda" })
    func stalledRequest(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.sleep)) { world in
            let demands = Mutex(0)
            let body = BodyStream(onDemand: { demands.withLock { $0 += 1 } })
            let length = HeaderField("Content-Length", String(64 << 20))
            let caller = Task {
                try await world.request("/sleep", query: "ms=60000", body: .stream(body), headers: [length])
            }
            #expect(await eventually { world.pool.snapshot.running == 1 })
            let chunk = ByteBuffer(repeating: 1, count: 64 << 10)
            var sent = 0
            while sent < 64 << 20 {
                let before = demands.withLock { $0 }
                sent += chunk.readableBytes
                if body.write(chunk) { continue }
                guard await changes(from: before, { demands.withLock { $0 } }) else { break }
            }
            #expect(sent < 16 << 20)
            body.fail(CancellationError())
            caller.cancel()
            _ = await #expect(throws: CallFailure.self) { try await caller.value }
        }
    }

    @Test("is free again after its reader has left the response", arguments: Contract.all)
    func abandonedResponse(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.stream)) { world in
            let response = try await world.request("/stream", query: "chunks=1600&size=65536")
            guard case .stream(let stream) = response.body else { throw Unexpected(description: "no stream") }
            stream.cancel()
            #expect(await eventually { world.pool.snapshot.running == 0 })
        }
    }

    @Test("fails the call when it dies in the middle, and serves the next", arguments: Contract.all)
    func crash(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.crash)) { world in
            let failure = try await world.failure(of: "/crash")
            #expect(failure.code == .workerDied)
            #expect(failure.message.contains("SIGKILL"))
            let again = try await world.failure(of: "/crash")
            #expect(again.code == .workerDied)
        }
    }

    @Test("tells its exit status when it ends in the middle", arguments: Contract.all)
    func exit(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.exit)) { world in
            let failure = try await world.failure(of: "/exit", query: "status=3")
            #expect([.workerDied, .handlerFailed].contains(failure.code))
            #expect(failure.message.contains("exit status 3"))
        }
    }

    @Test("fails the call when it sends garbage, and serves the next", arguments: Contract.all)
    func garbage(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.garbage)) { world in
            for _ in 0..<2 {
                let failure = try await world.failure(of: "/garbage")
                #expect([.contractBroken, .handlerFailed].contains(failure.code))
            }
        }
    }

    @Test("may take its time to start", arguments: Contract.all)
    func slowStart(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.slowStart)) { world in
            let answer = try await world.request("/echo", body: .bytes(ByteBuffer(string: "hello"))).text()
            #expect(answer == "hello")
        }
    }

    @Test("keeps nobody waiting for longer than allowed when it never gets ready", arguments: Contract.all)
    func neverReady(_ contract: Contract) async throws {
        var manifest = contract.manifest(.neverReady)
        manifest.limits.wait = .milliseconds(300)
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/echo", time: .milliseconds(300))
            #expect([.waitedTooLong, .timedOut].contains(failure.code))
        }
    }

    @Test("is answered for at its time limit, and is gone soon after", arguments: Contract.all)
    func timeLimit(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.sleep)) { world in
            let failure = try await world.failure(of: "/sleep", query: "ms=60000", time: .milliseconds(300))
            #expect(failure.code == .timedOut)
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("is killed when it ignores SIGTERM", arguments: Contract.all)
    func ignoredTerm(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.ignoreTerm)) { world in
            let failure = try await world.failure(of: "/ignore-term", time: .milliseconds(500))
            #expect(failure.code == .timedOut)
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
            #expect(world.lines.first(.host, containing: "did not end within 500 ms") != nil)
        }
    }

    @Test("is stopped when its caller has gone and it goes on", arguments: Contract.all)
    func cancellation(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.stubborn)) { world in
            let caller = Task { try await world.request("/stubborn") }
            #expect(await eventually { world.lines.first(.stderr, containing: "stubborn") != nil })
            caller.cancel()
            let failure = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(failure?.code == .cancelled)
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("says that its request broke off, where that is why nobody waits any more", arguments: Contract.all)
    func brokenRequest(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.stubborn)) { world in
            let body = BodyStream()
            let caller = Task { try await world.request("/stubborn", body: .stream(body)) }
            #expect(await eventually { world.pool.snapshot.running == 1 })
            // As the gateway does it.
            body.fail(Unexpected(description: "a chunk is not valid"))
            caller.cancel()
            let failure = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(failure?.code == .cancelled)
            #expect(failure?.message == "the request's body broke off: a chunk is not valid")
        }
    }

    @Test("runs a hundred calls that come at once", arguments: Contract.all)
    func many(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.echo)) { world in
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        try await world.request("/echo", body: .bytes(ByteBuffer(string: "\(number)"))).text()
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(answers == Set((0..<100).map(String.init)))
            #expect(world.pool.snapshot.workers.count <= 8)
        }
    }

    @Test("may print 100 MB without being held up, and without filling the memory", arguments: Contract.all)
    func flood(_ contract: Contract) async throws {
        try await World.with(contract.manifest(.flood)) { world in
            let before = residentBytes()
            _ = try await world.request("/flood", query: "mib=100", time: .seconds(120))
            #expect(await eventually { world.lines.count >= 100 << 10 })
            #expect(residentBytes() - before < 64 << 20)
        }
    }

    @Test("fails alone when it asks for more memory than its limit", arguments: Contract.all)
    func memory(_ contract: Contract) async throws {
        var manifest = contract.manifest(.allocate)
        manifest.limits.memory = 128 << 20
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/allocate", query: "mib=512")
            #expect([.workerDied, .handlerFailed].contains(failure.code))
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("finds a clean environment", arguments: Contract.all)
    func environment(_ contract: Contract) async throws {
        var manifest = contract.manifest(.environment)
        manifest.environment = ["GREETING": "hi there", "APUS_FUNCTION": "forged"]
        try await World.with(manifest) { world in
            func value(_ name: String) async throws -> String {
                try await world.request("/environment", query: "name=\(name)").text().trimmed
            }
            #expect(try await value("GREETING") == "hi there")
            #expect(try await value("APUS_FUNCTION") == "contract")
            #expect(try await value("LC_CTYPE") == "C.UTF-8")
            let temporary = try await value("TMPDIR")
            #expect(temporary.contains("/apus-worker-"))
        }
    }

    @Test("leaves no temporary directory behind", arguments: Contract.all)
    func temporaryDirectory(_ contract: Contract) async throws {
        let directory = try await World.with(contract.manifest(.environment)) { world in
            try await world.request("/environment", query: "name=TMPDIR").text().trimmed
        }
        let isGone = await eventually { !exists(directory) }
        #expect(isGone)
    }

    @Test("cannot start what is not there, and says so", arguments: Contract.all)
    func missingProgram(_ contract: Contract) async throws {
        var manifest = contract.manifest(.echo)
        manifest.handler.command = ["/nowhere/handler"]
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/echo")
            #expect(failure.code == .startFailed)
            #expect(failure.message == "cannot start /nowhere/handler: execve: No such file or directory")
        }
    }

    @Test("cannot start in a directory that is not there, and says so", arguments: Contract.all)
    func missingDirectory(_ contract: Contract) async throws {
        var manifest = contract.manifest(.echo)
        manifest.handler.directory = "/nowhere"
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/echo")
            #expect(failure.message == "cannot start /nowhere: chdir: No such file or directory")
        }
    }

    @Test("takes events", arguments: Contract.all)
    func event(_ contract: Contract) async throws {
        var manifest = contract.manifest(.event)
        manifest.triggers = [.timer(TimerTrigger(schedule: .every(.seconds(60))))]
        try await World.with(manifest) { world in
            try await world.deliver(.example)
            #expect(
                await eventually { world.lines.all.contains { $0.metadata.contains(.id) || $0.text.contains("e1") } })
        }
    }

    @Test("takes changes of state, with large values too", arguments: Contract.all)
    func change(_ contract: Contract) async throws {
        var manifest = contract.manifest(.event)
        manifest.triggers = [.state(StateTrigger(prefix: "entry/", namespace: "n"))]
        try await World.with(manifest) { world in
            for bytes in [0, 1 << 20] {
                let event = Event(
                    id: "e1", source: "/state/n", type: "apus.state.set", subject: "entry/ä b", time: .now(),
                    dataContentType: "application/octet-stream", extensions: ["version": "2", "previous": "1"],
                    data: [UInt8](repeating: 0x61, count: bytes))
                try await world.deliver(event, kind: .state)
            }
            let deleted = Event(
                id: "e2", source: "/state/n", type: "apus.state.deleted", subject: "entry/ä b", time: .now(),
                extensions: ["version": "3", "previous": "2"])
            try await world.deliver(deleted, kind: .state)
        }
    }

    @Test("says whose its lines are")
    func attribution() async throws {
        try await World.with(Handlers.shell("echo told >&2")) { world in
            let id = InvocationID()
            _ = try await world.request("/", id: id)
            let line = try #require(world.lines.first(.stderr, containing: "told"))
            #expect(line.invocation == id)
            #expect(line.function == "contract")
            #expect(line.worker > 0)
        }
    }
}

extension Event {
    static let example = Event(
        id: "e1", source: "/timers/contract/0", type: "apus.timer.due", time: WallTime(milliseconds: 0),
        extensions: ["due": "1970-01-01T00:00:00.000Z"])
}

extension HeaderField {
    static let id = HeaderField("id", "e1")
}
