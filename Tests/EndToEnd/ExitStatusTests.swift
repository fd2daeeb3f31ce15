import Support
import Testing

@Suite("The command line ends with the status that says what went wrong")
struct ExitStatusTests {
    private static let manifests = [
        "fails": """
        name: fails
        handler: { command: [sh, -c, "exit 3"] }
        triggers: [{ http: { path: /fails } }]
        """,
        "late": """
        name: late
        handler: { command: [sleep, "60"] }
        triggers: [{ http: { path: /late } }]
        limits: { time: 100ms }
        """,
        "breaks": """
        name: breaks
        handler:
          command: [sh, -c, "echo Content-Type: text/plain; echo; head -c 1000000 /dev/zero; sleep 60"]
          contract: cgi
        triggers: [{ http: { path: /breaks } }]
        limits: { time: 500ms }
        """,
        "events": """
        name: events
        handler: { command: [sh, -c, "grep -q good || { echo bad data >&2; exit 3; }"] }
        triggers: [{ topic: things }]
        retry: { attempts: 1 }
        """,
    ]

    @Test("a function that fails or runs too long is 1, one that is not there 66")
    func functions() async throws {
        try await ApusHost.with(Self.manifests) { host in
            let failed = try host.cli("invoke", "fails")
            #expect(failed.status == 1)
            #expect(failed.error.hasPrefix("apus: The function failed: "))
            #expect(try host.cli("invoke", "late").status == 1)
            #expect(try host.cli("invoke", "nobody").status == 66)
        }
    }

    @Test("a function whose response breaks off is 1, and not the host's fault")
    func brokenOff() async throws {
        try await ApusHost.with(Self.manifests) { host in
            let broken = try host.cli("invoke", "breaks")
            #expect(broken.status == 1)
            #expect(!broken.error.contains("host failed"))
            let isOver = try await eventually { try host.function("breaks").running == 0 }
            #expect(isOver)
        }
    }

    @Test("the result of an event that is waited for is 0 when it has succeeded, and 1 with the reason when it has not")
    func results() async throws {
        try await ApusHost.with(Self.manifests) { host in
            func result(of data: String) throws -> CommandResult {
                let queued = try host.cli("invoke", "events", "--async", "--data", data)
                let id = queued.output.split { $0 == " " || $0 == "\n" }.first { $0.count == 36 } ?? ""
                return try host.cli("invocation", String(id), "--wait", "20s", "--result")
            }
            let good = try result(of: "good")
            #expect(good.status == 0 && good.error.isEmpty)
            let bad = try result(of: "bad")
            #expect(bad.status == 1 && bad.error.contains("exit"))
        }
    }

    @Test("an invocation without a line in the log is said to have none, past the output; what is no id is 65")
    func logs() async throws {
        try await ApusHost.with(Self.manifests) { host in
            let none = try host.cli("logs", "--invocation", "0198c0de-7000-7000-8000-000000000000")
            #expect(none.status == 0 && none.output.isEmpty)
            #expect(none.error == "the log has no line of invocation 0198c0de-7000-7000-8000-000000000000\n")
            let wrong = try host.cli("logs", "--invocation", "none")
            #expect(wrong.status == 65 && wrong.error.contains("'none' is no id of an invocation"))
        }
    }

    @Test("an address that is taken is 69, a data folder 75; the message says what to do")
    func taken() async throws {
        try await ApusHost.with(Self.manifests) { host in
            func serve(data: String, listen: Int, admin: Int) throws -> CommandResult {
                try run(
                    ApusHost.build + "/apus",
                    [
                        "serve", host.folder + "/manifests", "--data", data, "--listen", "127.0.0.1:\(listen)",
                        "--admin", "127.0.0.1:\(admin)",
                    ])
            }
            let other = host.folder + "/other"
            let gateway = try serve(data: other, listen: host.port, admin: 0)
            #expect(gateway.status == 69)
            #expect(gateway.error.contains("choose another port"))
            let admin = try serve(data: other, listen: 0, admin: host.adminPort)
            #expect(admin.status == 69)
            #expect(admin.error.contains("--admin") && admin.error.contains("choose another port"))
            let data = try serve(data: host.data, listen: 0, admin: 0)
            #expect(data.status == 75)
            #expect(data.error.contains("choose another folder with --data"))
        }
    }

    @Test("who still waits when the time to drain is over is told so")
    func drained() async throws {
        let manifest = """
            name: slow
            handler: { command: [sleep, "60"] }
            triggers: [{ http: { path: /slow } }]
            limits: { time: 60s }
            """
        try await ApusHost.with(["slow": manifest], arguments: ["--drain", "100ms"]) { host in
            let port = host.port
            async let answers = onThreads(1) { _ in try HTTPConnection(port: port).request("GET", "/slow").status }
            let isRunning = try await eventually { try host.function("slow").running == 1 }
            #expect(isRunning)
            #expect(host.terminate() == 0)
            #expect(try await answers == [503])
        }
    }
}
