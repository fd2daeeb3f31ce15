import Foundation
import Support
import Testing

@Suite("apus check --leaks", .timeLimit(.minutes(5)))
struct LeakTests {
    /// Checks the function `worker`.
    ///
    /// - Parameters:
    ///   - manifests: by their functions' names.
    ///   - files: beside the manifests' folder, by their names.
    private func check(
        _ manifests: [String: String], files: [String: String] = [:], event: String, before: String? = nil,
        options: [String] = []
    ) async throws -> (status: Int32, text: String) {
        try await withTemporaryFolder { folder in
            func write(_ text: String, _ name: String) throws -> String {
                let path = folder + "/" + name
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                return path
            }
            try FileManager.default.createDirectory(atPath: folder + "/manifests", withIntermediateDirectories: true)
            for (name, text) in manifests { _ = try write(text, "manifests/\(name).yaml") }
            for (name, text) in files { _ = try write(text, name) }
            var arguments = ["check", folder + "/manifests", "--leaks", "worker"]
            arguments += ["--event", try write(event, "event")]
            if let before { arguments += ["--before", try write(before, "before")] }
            let result = try run(ApusHost.build + "/apus", arguments + options)
            return (result.status, result.output + result.error)
        }
    }

    private static let contractWorker = """
        name: worker
        handler: { command: ["\(ApusHost.build)/ContractWorker"], contract: apus }
        triggers: [{ http: { path: "/{path*}" } }, { timer: { every: 1h } }]
        """

    /// Checks the contract worker with an operation of its own as the event.
    private func check(
        _ operation: String, before: String? = nil, options: [String] = []
    ) async throws -> (status: Int32, text: String) {
        func event(_ path: String) -> String { "{\"method\": \"POST\", \"path\": \"\(path)\"}" }
        return try await check(
            ["worker": Self.contractWorker], event: event(operation), before: before.map(event), options: options)
    }

    /// Checks a program in Python.
    private func check(
        python: String, contract: String = "apus", trigger: String = "http: { path: /w }",
        more manifests: [String: String] = [:]
    ) async throws -> (status: Int32, text: String) {
        let manifest = """
            name: worker
            handler: { command: [python3, program.py], contract: \(contract), directory: .. }
            triggers: [{ \(trigger) }]
            """
        return try await check(
            manifests.merging(["worker": manifest]) { $1 }, files: ["program.py": python], event: "{}")
    }

    private static let mailer = """
        name: mailer
        handler: { command: ["\(ApusHost.build)/ContractWorker"], contract: apus }
        triggers: [{ topic: orders }]
        """

    @Test("finds what a worker remembers, and says where the answers differ")
    func leak() async throws {
        let output = try await check("/remember")
        #expect(output.status == 1)
        #expect(output.text.contains("LEAK    body $.calls"))
        #expect(output.text.contains("fresh   1\n") && output.text.contains("reused  2 | 3 | 4\n"))
        #expect(output.text.contains("same    body $.name"))
    }

    @Test("finds what one event leaves for another")
    func other() async throws {
        let output = try await check("/remember", before: "/remember", options: ["--json"])
        #expect(output.status == 1)
        #expect(output.text.contains(#""leaks":[{"fresh":"1","part":"body $.calls","reused":["2","3","4"]}]"#))
    }

    @Test("finds nothing in a function that keeps nothing, and looks at the state that each run leaves")
    func clean() async throws {
        let output = try await check("/increment")
        #expect(output.status == 0)
        #expect(output.text.contains("state key") && output.text.contains("no leak"))
    }

    @Test("what is sent to others goes no further, and is the same each time", arguments: ["orders", "mailer"])
    func messages(target: String) async throws {
        let event = "{\"method\": \"POST\", \"path\": \"/send?to=\(target)&text=hello\"}"
        let output = try await check(["worker": Self.contractWorker, "mailer": Self.mailer], event: event)
        #expect(output.status == 0, "\(output.text)")
        #expect(output.text.contains("message 1 to mailer: data") && output.text.contains("no leak"))
    }

    @Test("finds what a worker remembers in what it sends; an id that comes again is that of another run")
    func leakingMessages() async throws {
        let output = try await check(
            python: """
                import apus
                calls = 0
                @apus.http
                def respond(request, context):
                    global calls
                    calls += 1
                    context.send("orders", {"calls": calls}, id="1")
                    return "sent"
                apus.run()
                """, more: ["mailer": Self.mailer])
        #expect(output.status == 1)
        #expect(output.text.contains("LEAK    message 1 to mailer: data $.calls"), "\(output.text)")
        #expect(output.text.contains("\n1 leak:"))
    }

    @Test("tells what differs by itself from a leak")
    func varying() async throws {
        let output = try await check("/pid")
        #expect(output.status == 0)
        #expect(output.text.contains("varies  body line 1") || output.text.contains("varies  body"))
        let clock = try await check(
            python: """
                import apus, random, time
                @apus.http
                def respond(request, context):
                    return {"name": "f", "random": random.random(), "time": time.time_ns()}
                apus.run()
                """)
        #expect(clock.status == 0)
        #expect(clock.text.contains("varies  body $.random, body $.time: between fresh workers, too"), "\(clock.text)")
    }

    @Test("runs the event of a timer, and looks at what it leaves in the state")
    func timers() async throws {
        let clean = try await check(["worker": Self.contractWorker], event: #"{"trigger": "timer"}"#)
        #expect(clean.status == 0)
        #expect(clean.text.contains("state timers"))
        let leaking = try await check(
            python: """
                import apus
                calls = 0
                @apus.timer
                def timer(event, context):
                    global calls
                    calls += 1
                    context.state.set("calls", str(calls))
                apus.run()
                """, trigger: "timer: { every: 1h }")
        #expect(leaking.status == 1)
        #expect(leaking.text.contains("LEAK    state calls"), "\(leaking.text)")
    }

    @Test("finds what a server keeps")
    func servers() async throws {
        let output = try await check(
            python: """
                import http.server, os
                class Handler(http.server.BaseHTTPRequestHandler):
                    calls = 0
                    def do_GET(self):
                        Handler.calls += 1
                        answer = b"%d" % Handler.calls
                        self.send_response(200)
                        self.send_header("Content-Length", str(len(answer)))
                        self.end_headers()
                        self.wfile.write(answer)
                http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
                """, contract: "http")
        #expect(output.status == 1)
        #expect(output.text.contains("LEAK    body\n"), "\(output.text)")
    }

    @Test("says of a contract with a process for each call that there is nothing to be kept")
    func processes() async throws {
        let output = try await check(python: "print('Content-Type: text/plain\\n\\ndone')", contract: "cgi")
        #expect(output.status == 0)
        #expect(output.text.contains("no leak: the contract gives each call a process of its own anyway"))
    }

    @Test("an answer that says that it is an error is no success")
    func errors() async throws {
        let output = try await check(
            python: """
                import sys
                print("no such table", file=sys.stderr)
                print("Status: 500\\n\\nsorry")
                """, contract: "cgi")
        #expect(output.status == 1)
        #expect(output.text.contains("no run succeeded: the program answered with status 500"), "\(output.text)")
        #expect(output.text.contains("output  no such table"))
    }

    @Test("shows nothing of a function that always fails")
    func failing() async throws {
        let output = try await check("/fail")
        #expect(output.status == 1)
        #expect(output.text.contains("no run succeeded: told to fail"))
    }

    @Test("shows nothing when what is to come before fails")
    func failingBefore() async throws {
        let output = try await check("/increment", before: "/fail")
        #expect(output.status == 1)
        #expect(output.text.contains("an event of --before failed: told to fail"))
        #expect(!output.text.contains("no leak"))
    }

    @Test("a worker that takes the place of one that has ended is a fresh one")
    func lost() async throws {
        let output = try await check(
            python: """
                import apus, os
                calls = 0
                @apus.http
                def respond(request, context):
                    global calls
                    calls += 1
                    return "done" if calls == 1 else os._exit(1)
                apus.run()
                """)
        #expect(output.status == 1)
        #expect(output.text.contains("3 workers ended between the runs, so that others were fresh"), "\(output.text)")
        #expect(output.text.contains("LEAK    outcome\n            fresh   succeeded\n            reused  failed\n"))
    }

    @Test(
        "an event that is none is refused, with what is wrong with it",
        arguments: [
            #"{"body": "x"}"#: "'body' is nothing that an invocation has; it has: trigger, method, path, headers, data",
            #"{"methd": "GET"}"#: "'methd' is nothing that an invocation has; did you mean 'method'?",
            #"{"event": {"subjct": "x"}}"#: "'subjct' is nothing that its event has; did you mean 'subject'?",
            #"{"method": 1}"#: "'method' is not that of an invocation",
            "[]": "the JSON is not that of an invocation",
            "hello": "the JSON is not that of an invocation",
        ])
    func typos(event: String, words: String) async throws {
        let output = try await check(["worker": Self.contractWorker], event: event)
        #expect(output.status == 65)
        #expect(output.text.contains(words), "\(output.text)")
    }

    @Test("a function or a file that is not there is told so")
    func missing() throws {
        let manifest = repository + "/manifests/hello.yaml"
        func check(_ function: String, _ event: String) throws -> CommandResult {
            try run(ApusHost.build + "/apus", ["check", manifest, "--leaks", function, "--event", event])
        }
        let function = try check("helo", "/dev/null")
        #expect(function.status == 66)
        #expect(function.error.contains("no manifest declares the function 'helo'; did you mean 'hello'?"))
        let file = try check("hello", "/no/such/file")
        #expect(file.status == 66)
        #expect(file.error.contains("cannot read /no/such/file"))
    }
}
