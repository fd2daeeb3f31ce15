import Events
import Glibc
import Manifests
import NIOCore
import NIOPosix
import Support
import Testing
import Workers

@Suite("A program of the stdio contract", .serialized, .timeLimit(.minutes(2)))
struct StdioTests {
    @Test("finds the request in its environment")
    func environment() async throws {
        let names = [
            "REQUEST_METHOD", "REQUEST_PATH", "QUERY_STRING", "CONTENT_TYPE", "REMOTE_ADDR", "APUS_PARAM_NAME",
            "APUS_TRIGGER",
        ]
        let script = names.map { "echo \"$\($0)\"" }.joined(separator: "; ")
        try await World.with(Handlers.shell(script)) { world in
            let response = try await world.request("/words", query: "a=b", method: "PUT")
            #expect(response.head.headers.first("Content-Type") == "text/plain; charset=utf-8")
            let text = try await response.text()
            #expect(text == "PUT\n/words\na=b\ntext/plain\n127.0.0.1\nAda\nhttp\n")
        }
    }

    @Test("gets an event as JSON, its attributes also in its environment, and its output becomes log lines")
    func event() async throws {
        var event = Event.example
        event.data = Array(#"{"n":1}"#.utf8)
        event.dataContentType = "application/json"
        let manifest = Handlers.shell(
            "cat; echo $CE_ID $CE_DUE", [.timer(TimerTrigger(schedule: .every(.seconds(60))))])
        try await World.with(manifest) { [event] world in
            try await world.deliver(event)
            let printed = world.lines.all.filter { $0.source == .stdout }.map(\.text)
            #expect(
                printed == [
                    #"{"specversion":"1.0","id":"e1","source":"/timers/contract/0","type":"apus.timer.due","#
                        + #""time":"1970-01-01T00:00:00.000Z","datacontenttype":"application/json","#
                        + #""due":"1970-01-01T00:00:00.000Z","data":{"n":1}}"#,
                    "e1 1970-01-01T00:00:00.000Z",
                ])
        }
    }

    @Test("fails with its exit status and its last words, not with half an answer")
    func failure() async throws {
        try await World.with(Handlers.shell("echo half; echo 'no such word' >&2; exit 4")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .handlerFailed)
            #expect(failure.message.contains("exit status 4"))
            #expect(failure.message.contains("no such word"))
        }
    }

    @Test("cuts its response off when it fails late")
    func lateFailure() async throws {
        try await World.with(Handlers.shell("head -c 1000000 /dev/zero; exit 4")) { world in
            let response = try await world.request("/")
            await #expect(throws: CallFailure.self) { try await response.bytes() }
        }
    }

    @Test("gives all of its output to a caller who reads none of it until it has ended")
    func lateReader() async throws {
        let manifest = Handlers.shell("echo $$ >&2; head -c 300000 /dev/zero")
        try await World.with(manifest) { world in
            let response = try await world.request("/")
            let isOver = await eventually {
                world.lines.all.first { $0.source == .stderr }.map { !exists("/proc/\($0.text)") } == true
            }
            #expect(isOver)
            #expect(try await response.bytes().readableBytes == 300_000)
        }
    }

    @Test("gives all of its output however busy its lane is")
    func busyLane() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let lane = Lane(loop: group.next())
        // Each time for longer than late output is waited for.
        @Sendable func block(_ times: Int) {
            usleep(300_000)
            if times > 1 { lane.loop.execute { block(times - 1) } }
        }
        try await World.with(Handlers.shell("sleep 0.7; echo all"), lanes: [lane]) { world in
            let answer = Task { try await world.request("/").text() }
            #expect(await eventually { world.lines.first(.host, containing: "worker started") != nil })
            lane.loop.execute { block(8) }
            let text = try await answer.value
            #expect(text == "all\n")
        }
        try await group.shutdownGracefully()
    }

    @Test("that cannot be started makes the pool back off")
    func unstartable() async throws {
        var manifest = Handlers.shell("")
        manifest.handler.command = ["/no/such/program"]
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("/no/such/program"))
            let started = world.pool.snapshot.started
            for _ in 0..<50 { #expect(try await world.failure(of: "/").code == .startFailed) }
            #expect(world.pool.snapshot.started <= started + 5)
        }
    }

    @Test("need not read its input")
    func unreadInput() async throws {
        try await World.with(Handlers.shell("echo enough")) { world in
            let body = ByteBuffer(repeating: 1, count: 5 << 20)
            let text = try await world.request("/", body: .bytes(body)).text()
            #expect(text == "enough\n")
        }
    }

    @Test("does not take the part of a body that broke off for the whole")
    func brokenBody() async throws {
        try await World.with(Handlers.shell("cat")) { world in
            let body = BodyStream()
            body.write(ByteBuffer(string: "half"))
            body.fail(Unexpected(description: "the client has gone"))
            await #expect(throws: CallFailure.self) { try await world.request("/", body: .stream(body)).text() }
        }
    }

    @Test("leaves no process behind, not even in its background")
    func background() async throws {
        try await World.with(Handlers.shell("sleep 1000 >/dev/null 2>&1 & echo $!")) { world in
            let pid = try await world.request("/").text().trimmed
            // Its parent gone, it is reaped by another, soon.
            let isGone = await eventually { !exists("/proc/\(pid)") || isZombie(pid) }
            #expect(isGone)
        }
    }

    @Test("has one process for each call, and none between")
    func processes() async throws {
        try await World.with(Handlers.shell("echo $$")) { world in
            let first = try await world.request("/").text()
            let second = try await world.request("/").text()
            #expect(first != second)
            #expect(world.pool.snapshot.workers.isEmpty)
        }
    }

    @Test("is killed at once when the pool stops")
    func stop() async throws {
        try await World.with(Handlers.shell("trap '' TERM; sleep 60; sleep 60")) { world in
            let caller = Task { try await world.request("/") }
            #expect(await eventually { world.pool.snapshot.workers.contains { $0.pid > 0 } })
            world.pool.stop()
            let failure = await #expect(throws: CallFailure.self) { try await caller.value }
            #expect(failure?.message.contains("SIGKILL") == true)
        }
    }
}
