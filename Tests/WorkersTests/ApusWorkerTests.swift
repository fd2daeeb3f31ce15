import Events
import Glibc
import Manifests
import NIOCore
import Support
import Testing
import Workers

@Suite("A worker of the apus contract", .serialized, .timeLimit(.minutes(3)))
struct ApusWorkerTests {
    @Test("sees the request as it came", arguments: SDK.all)
    func request(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let response = try await world.request("/request", query: "a=b%20c", method: "GET")
            #expect(try await response.text() == "GET /request?a=b%20c [name=Ada]\n")
            #expect(response.head.headers.first("content-type") == "text/plain; charset=utf-8")
        }
    }

    @Test("stays for the next call", arguments: SDK.all)
    func reuse(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let first = try await world.request("/pid").text()
            let second = try await world.request("/pid").text()
            #expect(first == second)
            #expect(world.pool.snapshot.workers.map(\.state) == ["idle"])
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("has its full share of the processors once it has taken another's place", arguments: SDK.concurrent)
    func successor(_ sdk: SDK) async throws {
        let manifest = sdk.manifest {
            $0.workers.max = 2
            $0.workers.retireInvocations = 1
        }
        try await World.with(manifest) { world in
            let first = try #require(Int32(try await world.request("/pid").text().dropLast()))
            func pids() -> [Int32] { world.pool.snapshot.workers.map(\.pid) }
            #expect(await eventually { pids().count == 1 && pids() != [first] })
            let second = try #require(pids().first)
            #expect(await eventually { sched_getscheduler(second) == SCHED_OTHER })
        }
    }

    @Test("reads while it writes", arguments: SDK.all)
    func bothWays(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let body = BodyStream()
            let response = try await world.request("/echo-stream", body: .stream(body))
            guard case .stream(let stream) = response.body else { throw Unexpected(description: "no stream") }
            for number in 0..<5 {
                body.write(ByteBuffer(string: "part \(number)"))
                let chunk = try await stream.next()
                #expect(chunk == ByteBuffer(string: "part \(number)"))
            }
            body.finish()
            #expect(try await stream.next() == nil)
        }
    }

    @Test("runs as many calls at once as its manifest says", arguments: SDK.concurrent)
    func concurrency(_ sdk: SDK) async throws {
        let manifest = sdk.manifest {
            $0.workers.max = 1
            $0.workers.concurrency = 20
        }
        try await World.with(manifest) { world in
            let clock = ContinuousClock()
            let duration = try await clock.measure {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<20 {
                        group.addTask { _ = try await world.request("/sleep", query: "ms=500") }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(duration < .seconds(9))
            #expect(world.pool.snapshot.started == 1)
        }
    }

    @Test("reads and writes state in the handler's order", arguments: SDK.all)
    func state(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let state = MemoryState()
            _ = try await world.request("/state/set", query: "key=a&value=1", state: state)
            #expect(try await world.request("/state/add", query: "key=a&by=2", state: state).text() == "3\n")
            #expect(try await world.request("/state/increment", query: "key=a", state: state).text() == "4\n")
            #expect(try await world.request("/state/list", state: state).text() == "a=4\n")
            #expect(try await world.request("/state/immediately", query: "key=b", state: state).text() == "done\n")
            #expect(try await world.request("/state/get", query: "key=b", state: state).text() == "now")
            #expect(state.operations.contains(.set(key: "a", value: Array("1".utf8))))
            #expect(state.committed.count == 1)
        }
    }

    @Test("fails the call when a write that it did not wait for is refused", arguments: SDK.all)
    func refusedWrite(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let failure = try await world.failure(of: "/state/set", query: "key=forbidden&value=x")
            #expect(failure.code == .handlerFailed)
        }
    }

    @Test("reports what its handler throws", arguments: SDK.all)
    func handlerError(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let failure = try await world.failure(of: "/fail", query: "message=boom")
            #expect(failure.code == .handlerFailed)
            #expect(failure.permanent)
            #expect(failure.message.contains("boom"))
        }
    }

    @Test("cuts a response off whose handler fails in the middle", arguments: SDK.all)
    func brokenStream(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let response = try await world.request("/break")
            await #expect(throws: CallFailure.self) { try await response.text() }
            let status = try await world.request("/pid").head.status
            #expect(status == 200)
        }
    }

    @Test("is killed for garbage on the wire", arguments: SDK.all)
    func garbage(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let failure = try await world.failure(of: "/garbage")
            #expect(failure.code == .contractBroken)
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("lets the other calls finish when one has run out of time", arguments: SDK.concurrent)
    func timeLimitBesideOthers(_ sdk: SDK) async throws {
        let manifest = sdk.manifest {
            $0.workers.max = 1
            $0.workers.concurrency = 2
        }
        try await World.with(manifest) { world in
            async let other = world.request("/sleep", query: "ms=500")
            #expect(await eventually { world.pool.snapshot.running == 1 })
            let failure = try await world.failure(of: "/stubborn", time: .milliseconds(200))
            #expect(failure.code == .timedOut)
            #expect(try await other.text() == "done\n")
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("ends a cancelled call by itself, and stays", arguments: SDK.concurrent)
    func cooperativeCancellation(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let pid = try await world.request("/pid").text()
            let caller = Task { try await world.request("/sleep", query: "ms=60000") }
            #expect(await eventually { world.pool.snapshot.running == 1 })
            caller.cancel()
            await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(await eventually { world.pool.snapshot.running == 0 })
            #expect(try await world.request("/pid").text() == pid)
        }
    }

    @Test("logs with level, fields and invocation", arguments: SDK.all)
    func log(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            let id = InvocationID()
            _ = try await world.request("/log", query: "text=seen", id: id)
            let line = try #require(world.lines.first(.log, containing: "seen"))
            #expect(line.level == "warning")
            #expect(line.invocation == id)
            #expect(line.metadata == [HeaderField("key", "value")])
            _ = try await world.request("/print", query: "text=printed", id: id)
            #expect(await eventually { world.lines.first(.stderr, containing: "printed")?.invocation == id })
        }
    }

    @Test("refuses a manifest whose triggers its handler does not serve", arguments: SDK.all)
    func triggers(_ sdk: SDK) async throws {
        let manifest = sdk.manifest([.http(Handlers.anyPath), .file(FileTrigger(watch: "/tmp"))])
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/pid")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("does not serve: file (it serves http, timer, topic, state)"))
        }
    }

    @Test("that dies while it starts makes the pool back off", arguments: SDK.all, ["crash", "refuse"])
    func deadStart(_ sdk: SDK, _ how: String) async throws {
        let manifest = sdk.manifest { $0.environment["CONTRACT_START"] = how }
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/pid")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains(how == "crash" ? "SIGKILL" : "told to refuse"))
            #expect(failure.retryAfter != nil)
            let started = world.pool.snapshot.started
            for _ in 0..<50 { _ = try await world.failure(of: "/pid") }
            #expect(world.pool.snapshot.started <= started + 5)
        }
    }

    @Test("that never says hello is given up after ten seconds", arguments: SDK.all)
    func neverReady(_ sdk: SDK) async throws {
        let manifest = sdk.manifest { $0.environment["CONTRACT_START"] = "never" }
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/pid")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("no HELLO within 10 s"))
        }
    }

    @Test("that is no worker at all is refused")
    func impostor() async throws {
        try await World.with(Handlers.impostor("echo GARBAGE-GARBAGE >&3; sleep 60")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .startFailed)
        }
        try await World.with(Handlers.impostor("echo oops >&2; exit 7")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.message.contains("exit status 7"))
            #expect(failure.message.contains("oops"))
        }
    }

    @Test("has descriptors 0 to 3 and no others")
    func descriptors() async throws {
        try await World.with(Handlers.impostor("exec ls /proc/self/fd >&2")) { world in
            _ = try await world.failure(of: "/")
            // 4 is `ls`'s own, on the directory.
            let open = world.lines.all.filter { $0.source == .stderr }.map(\.text)
            #expect(open == ["0", "1", "2", "3", "4"])
        }
    }

    @Test("is a new process for each call when its manifest asks for that")
    func fresh() async throws {
        try await World.with(Handlers.contractWorker { $0.workers.instance = .fresh }) { world in
            let first = try await world.request("/pid").text()
            let second = try await world.request("/pid").text()
            #expect(first != second)
        }
    }

    @Test("is kept warm when its manifest says so, and comes back when it dies", arguments: SDK.all)
    func minimum(_ sdk: SDK) async throws {
        let manifest = sdk.manifest { $0.workers.min = 2 }
        try await World.with(manifest) { world in
            let running = Task { await world.pool.run() }
            #expect(await eventually { world.pool.snapshot.workers.filter { $0.state == "idle" }.count == 2 })
            _ = try await world.failure(of: "/crash")
            #expect(await eventually { world.pool.snapshot.workers.filter { $0.state == "idle" }.count == 2 })
            await world.pool.drain(within: .seconds(5))
            await running.value
        }
    }

    @Test("goes when it has been idle", arguments: SDK.all)
    func idle(_ sdk: SDK) async throws {
        let manifest = sdk.manifest { $0.workers.idle = .milliseconds(200) }
        try await World.with(manifest) { world in
            _ = try await world.request("/pid")
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
            _ = try await world.request("/pid")
            #expect(world.pool.snapshot.started == 2)
        }
    }

    @Test("finishes its call while the pool drains", arguments: SDK.all)
    func drain(_ sdk: SDK) async throws {
        try await World.with(sdk.manifest()) { world in
            async let response = world.request("/sleep", query: "ms=300")
            #expect(await eventually { world.pool.snapshot.workers.contains { $0.state == "busy" } })
            await world.pool.drain(within: .seconds(30))
            #expect(try await response.text() == "done\n")
            let failure = try await world.failure(of: "/pid")
            #expect(failure.code == .stopping)
        }
    }
}
