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
                let url = "ws://127.0.0.1:\(port)/chat"
                return try run(Self.python + "/python3", [Self.servers + "/talk.py", url, "whisper", "shout"])
            }
            for talk in talks { #expect(talk.output == "closed 1000 shout\n", "\(talk.error)") }
            let isOver = try await eventually { try host.function("chat").running == 0 }
            #expect(isOver)
            #expect(try host.get("/chat").status == 426)
        }
    }

    /// A CGI program: redirects within the host, redirects the client, or says what it was asked.
    private static let program = #"""
        case $PATH_INFO in
        /here) printf 'Location: /cgi/there?from=%s\n\n' "$REQUEST_METHOD" ;;
        /elsewhere) printf 'Location: https://example.org/\n\n' ;;
        *) printf 'Content-Type: text/plain\n\n%s %s?%s\n' "$REQUEST_METHOD" "$PATH_INFO" "$QUERY_STRING" ;;
        esac
        """#

    @Test("a CGI program redirects within the host and elsewhere, and answers HEAD")
    func cgi() async throws {
        let manifest = """
            name: program
            handler: { command: [sh, program.sh], contract: cgi }
            triggers: [ { http: { path: "/cgi/{path*}" } } ]
            limits: { wait: 60s }
            """
        try await ApusHost.with(
            ["program": manifest],
            prepare: { folder in
                try Self.program.write(toFile: folder + "/manifests/program.sh", atomically: true, encoding: .utf8)
            },
            { host in
                let direct = try host.get("/cgi/there?x=1")
                #expect(direct.status == 200 && direct.text == "GET /there?x=1\n")
                let local = try host.post("/cgi/here", "body")
                #expect(local.status == 200 && local.text == "GET /there?from=POST\n")
                let elsewhere = try host.get("/cgi/elsewhere")
                #expect(elsewhere.status == 302 && elsewhere.headers["location"] == "https://example.org/")
                // On one connection, so that a body behind a HEAD would be taken for the next response.
                let connection = try host.connect()
                for _ in 0..<2 {
                    let head = try connection.request("HEAD", "/cgi/there")
                    #expect(head.status == 200 && head.headers["content-type"] == "text/plain")
                }
                #expect(try connection.request("GET", "/cgi/there").text == "GET /there?\n")
            })
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
