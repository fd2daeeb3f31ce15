import Foundation
import Support
import Testing

/// Programs of others by the contract `http`, unmodified, behind the real binary.
@Suite("Servers of others", .timeLimit(.minutes(3)))
struct ServerTests {
    private static let python = repository + "/.build/test-python/bin"
    private static let servers = repository + "/Tests/EndToEnd/Servers"

    private static func framework(_ name: String, _ target: String, _ kind: String, _ triggers: String) -> String {
        """
        name: \(name)
        handler:
          command: [\(python)/functions-framework, --target, \(target), --signature-type, \(kind)]
          contract: http
          directory: \(servers)
        triggers: [\(triggers)]
        workers: { max: 1, concurrency: 4 }
        limits: { time: 30s, wait: 60s }
        environment: { PYTHONUNBUFFERED: 1 }
        """
    }

    @Test("PyPI's functions-framework serves a function of HTTP")
    func functionsFramework() async throws {
        let manifests = [
            "hello": Self.framework("hello", "hello", "http", "{ http: { path: /hello } }"),
            "broken": Self.framework("broken", "broken", "http", "{ http: { path: /broken } }"),
        ]
        try await ApusHost.with(manifests) { host in
            #expect(try host.get("/hello?name=Ada").text == "Hello, Ada! 127.0.0.1 GET 0\n")
            #expect(try host.post("/hello", "12345").text == "Hello, world! 127.0.0.1 POST 5\n")
            #expect(try host.get("/broken").status == 500)
            #expect(try host.cli("state", "get", "broken", "key").status == 66, "what failed has left something")
            #expect(try host.get("/broken?kept").text == "kept")
            #expect(try host.cli("state", "get", "broken", "key").output == "value")
            let answers = try await onThreads(8) { [port = host.port] _ in
                try (0..<10).map { _ in try HTTPConnection(port: port).request("GET", "/hello").status }
            }
            #expect(answers.flatMap { $0 } == Array(repeating: 200, count: 80))
            #expect(try host.function("hello").pool.started == 1)
        }
    }

    @Test("PyPI's functions-framework takes the events of timers and files as CloudEvents")
    func cloudEvents() async throws {
        let triggers = "{ timer: { every: 1s } }, { file: { watch: ../inbox } }"
        try await ApusHost.with(
            ["taken": Self.framework("taken", "taken", "cloudevent", triggers)],
            prepare: { folder in
                try FileManager.default.createDirectory(atPath: folder + "/inbox", withIntermediateDirectories: true)
            },
            { host in
                try "data".write(toFile: host.folder + "/inbox/report.txt", atomically: false, encoding: .utf8)
                let isTaken = try await eventually {
                    let lines = try host.cli("logs", "taken").output
                    return lines.contains("taken: apus.timer.due") && lines.contains("taken: apus.file.created")
                        && lines.contains("report.txt")
                }
                #expect(isTaken)
                let isDone = try await eventually { try host.function("taken").queue.done >= 2 }
                #expect(isDone)
            })
    }

    @Test("a WebSocket client talks with a WebSocket server")
    func webSocket() async throws {
        let manifest = """
            name: chat
            handler:
              command: [\(Self.python)/python3, \(Self.servers)/chat.py]
              contract: http
            triggers: [ { http: { path: /chat } } ]
            workers: { max: 1, concurrency: 10 }
            limits: { time: 60s, wait: 60s }
            """
        try await ApusHost.with(["chat": manifest]) { host in
            let talks = try await onThreads(4) { [port = host.port] _ in
                try run(Self.python + "/python3", [Self.servers + "/talk.py", "ws://127.0.0.1:\(port)/chat"])
            }
            for talk in talks { #expect(talk.output == "closed 1000\n", "\(talk.error)") }
            let isOver = try await eventually { try host.function("chat").running == 0 }
            #expect(isOver)
            #expect(try host.get("/chat").status == 426)
        }
    }

    @Test("an offer of another protocol than WebSocket is not passed on")
    func otherUpgrades() async throws {
        let manifest = """
            name: hello
            handler:
              command: [\(Self.python)/functions-framework, --target, hello]
              contract: http
              directory: \(Self.servers)
            triggers: [ { http: { path: /hello } } ]
            limits: { wait: 60s }
            """
        try await ApusHost.with(["hello": manifest]) { host in
            let headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "")]
            let other = try host.connect().request("GET", "/hello", headers: headers)
            #expect(other.status == 200)
        }
    }
}
