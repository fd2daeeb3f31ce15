import Foundation
import Support
import Testing

@Suite("A handler in Python, in the real host")
struct PythonTests {
    private static let contractWorker = """
        name: contract
        handler:
          command: [python3, "\(repository)/Tests/PythonSDKTests/contract_worker.py"]
          contract: apus
        triggers:
          - http: { path: "/contract/{operation*}" }
          - timer: { every: 1h }
        sandbox: { read: ["\(repository)/Runtime/SDK/python"] }
        workers: { max: 4 }
        """

    @Test("finds the module without being told where, after what its manifest declares")
    func module() async throws {
        let manifest = """
            name: where
            handler: { command: [python3, handler.py], contract: apus, directory: .. }
            triggers: [{ http: { path: /where } }]
            environment: { PYTHONPATH: /declared }
            """
        let handler = """
            import os, apus
            apus.http(lambda request, context: f"{os.environ['PYTHONPATH']} {apus.__file__}\\n")
            apus.run()
            """
        try await ApusHost.with(
            ["where": manifest],
            prepare: { try handler.write(toFile: $0 + "/handler.py", atomically: true, encoding: .utf8) }
        ) { host in
            let text = try host.get("/where").text
            #expect(text.hasPrefix("/declared:/") && text.hasSuffix("python/apus.py\n"), "\(text)")
        }
    }

    @Test("is a fresh process for each call, also of many at once")
    func fresh() async throws {
        let manifest = """
            name: f
            handler: { command: [python3, handler.py], contract: apus, directory: .. }
            triggers: [{ http: { path: /f } }]
            workers: { max: 4, instance: fresh }
            limits: { wait: 60s, time: 60s }
            """
        let handler = """
            import os, apus
            @apus.http
            def respond(request, context):
                context.state.increment("calls")
                return str(os.getpid())
            apus.run()
            """
        try await ApusHost.with(
            ["f": manifest],
            prepare: { try handler.write(toFile: $0 + "/handler.py", atomically: true, encoding: .utf8) }
        ) { host in
            let port = host.port
            let answers = try await onThreads(8) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<5).map { _ in try connection.request("GET", "/f") }
            }.flatMap { $0 }
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(Set(answers.map(\.text)).count == 40)
            #expect(try host.cli("state", "get", "f", "calls").output == "40")
        }
    }

    @Test("commits what it writes with its answer, and nothing when it fails or refuses")
    func effects() async throws {
        try await ApusHost.with(["contract": Self.contractWorker]) { host in
            #expect(try host.get("/contract/set?key=a&value=1").status == 200)
            #expect(try host.cli("state", "get", "contract", "a").output == "1")
            #expect(try host.get("/contract/set-and-fail?key=a&value=2").status == 500)
            let refused = try host.get("/contract/set-and-refuse?key=a&value=3")
            #expect(refused.status == 403 && refused.text == "told to refuse after a write\n")
            #expect(try host.cli("state", "get", "contract", "a").output == "1")
            #expect(try host.get("/contract/immediately?key=b").status == 200)
            #expect(try host.get("/contract/get?key=b").text == "now")
            #expect(try host.cli("invoke", "contract", "--trigger", "timer").status == 0)
            #expect(try host.get("/contract/get?key=timers").text == "1")
        }
    }

    @Test("sends messages with its effects, and takes them")
    func messages() async throws {
        try await ApusHost.with(["contract": Self.contractWorker]) { host in
            #expect(try host.get("/contract/send-and-fail?to=contract").status == 500)
            #expect(try host.get("/contract/send?to=contract&text=nobody").status == 200)
            #expect(try host.get("/contract/send?to=contract").status == 200)
            // The second one names a target that nobody has, and fails for that.
            let isTaken = try await eventually { try host.get("/contract/get?key=messages").text == "1" }
            #expect(isTaken)
            #expect(try host.get("/contract/get?key=sent").text == "2")
            #expect(try host.get("/contract/send?to=nobody").status == 500)
        }
    }

    @Test("counts right when many read, add and write at once")
    func transactions() async throws {
        try await ApusHost.with(["contract": Self.contractWorker]) { host in
            let port = host.port
            let statuses = try await onThreads(4) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<10).map { _ in try connection.request("GET", "/contract/add?key=n").status }
            }.flatMap { $0 }
            let added = statuses.count { $0 == 200 }
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 409 } && added >= 10)
            #expect(try host.get("/contract/get?key=n").text == "\(added)")
        }
    }

    @Test("logs in the name of its invocation, tracebacks too, and dies alone")
    func trouble() async throws {
        try await ApusHost.with(["contract": Self.contractWorker]) { host in
            let id = try #require(try host.get("/contract/log?text=seen").headers["apus-invocation"])
            #expect(try host.get("/contract/raise").status == 500)
            #expect(try host.get("/contract/crash").status == 502)
            #expect(try host.get("/contract/echo").status == 200)
            let isLogged = try await eventually {
                let logs = try host.cli("logs", "contract", "--json").output
                let line = logs.split(separator: "\n").first { $0.contains(#""seen""#) } ?? ""
                return line.contains(id) && logs.contains("ValueError: told to raise") && logs.contains("Traceback")
            }
            #expect(isLogged)
        }
    }
}
