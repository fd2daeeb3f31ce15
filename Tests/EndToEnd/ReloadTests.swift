import Foundation
import Support
import Testing

@Suite("A reload loses nothing")
struct ReloadTests {
    private static func worker(
        _ command: String = "\(ApusHost.build)/ContractWorker", name: String = "worker", path: String = "/{rest*}",
        more: String = ""
    ) -> String {
        """
        name: \(name)
        handler: { command: [\(command)], contract: apus }
        triggers: [{ http: { path: "\(path)" } }]
        \(more)
        """
    }

    /// APUS_RELOAD_SECONDS makes it longer; 30 is what the project promises.
    private static let seconds = ProcessInfo.processInfo.environment["APUS_RELOAD_SECONDS"].flatMap { Int($0) } ?? 3

    @Test(
        "ten times a second, with programs and manifests that change, and functions that come and go: no request fails")
    func underLoad() async throws {
        try await ApusHost.with(["worker": Self.worker()]) { host in
            // Two builds of one program, and a link that leads to one of them.
            for build in ["one", "two"] {
                try FileManager.default.copyItem(
                    atPath: ApusHost.build + "/ContractWorker", toPath: "\(host.folder)/\(build)")
            }
            let load = Load(port: host.port, path: "/environment?name=ROUND")
            var reloads = 0
            func change(_ round: Int) throws {
                let link = host.folder + "/handler"
                try? FileManager.default.removeItem(atPath: link + ".new")
                try FileManager.default.createSymbolicLink(
                    atPath: link + ".new", withDestinationPath: round % 2 == 0 ? "one" : "two")
                #expect(rename(link + ".new", link) == 0)
                // Every second round, only the program is another.
                try host.write(
                    manifest: "worker", Self.worker(link, more: "environment: { ROUND: '\(round / 2)' }"))
                let other = host.folder + "/manifests/other.yaml"
                if round % 3 == 0 {
                    try host.write(manifest: "other", Self.worker(name: "other", path: "/other/{rest*}"))
                } else {
                    try? FileManager.default.removeItem(atPath: other)
                }
            }
            try change(0)
            #expect(try host.cli("reload").status == 0)
            let admin = host.adminPort
            let counts = try await load.run(keeping: 6, connecting: 2) {
                let end = ContinuousClock.now + .seconds(Self.seconds)
                var next = ContinuousClock.now
                while ContinuousClock.now < end {
                    reloads += 1
                    try change(reloads)
                    let answer = try HTTPConnection(port: admin).request("POST", "/v1/reload")
                    #expect(answer.status == 200)
                    next += .milliseconds(100)
                    try await ContinuousClock().sleep(until: next)
                }
            }
            print("\(reloads) reloads, \(counts.answers) answers, \(counts.failed) failures")
            #expect(counts.failed == 0, "\(counts.failures)")
            #expect(counts.closedIdle == 0)
            #expect(counts.answers > reloads)
            // New requests go to the new handler.
            #expect(counts.bodies.count > 1)
            #expect(try host.get("/environment?name=ROUND").text == "\(reloads / 2)")
        }
    }

    @Test("'apus reload' says what has changed, and takes up another script of an interpreter")
    func script() async throws {
        func script(_ text: String) -> String {
            """
            import apus

            @apus.http
            def answer(request, context):
                return "\(text)"

            apus.run()
            """
        }
        let manifest = """
            name: script
            handler: { command: [python3, script.py], contract: apus }
            triggers: [{ http: { path: /script } }]
            """
        try await ApusHost.with(
            ["script": manifest],
            prepare: { folder in
                try script("one").write(toFile: folder + "/manifests/script.py", atomically: true, encoding: .utf8)
            }
        ) { host in
            #expect(try host.get("/script").text == "one")
            #expect(try host.cli("reload").output == "1 function, nothing changed\n")
            #expect(try host.get("/script").text == "one")
            let path = host.folder + "/manifests/script.py"
            try script("two").write(toFile: path, atomically: true, encoding: .utf8)
            #expect(try host.cli("reload").output == "1 function\nchanged: script\n")
            #expect(try host.get("/script").text == "two")
        }
    }

    @Test("'apus reload' prints every problem, exits with 78, and changes nothing")
    func problems() async throws {
        try await ApusHost.with(["worker": Self.worker()]) { host in
            try host.write(manifest: "worker", Self.worker(more: "nosuch: 1\nneither: 2"))
            try host.write(manifest: "other", "name: 1")
            let result = try host.cli("reload")
            #expect(result.status == 78)
            #expect(result.error.contains("nothing has changed"))
            for problem in ["unknown key 'nosuch'", "unknown key 'neither'", "other.yaml:1:"] {
                #expect(result.error.contains(problem), "\(result.error)")
            }
            #expect(result.output.isEmpty)
            #expect(try host.get("/pid").status == 200)
            let json = try host.cli("reload", "--json")
            #expect(json.status == 78)
            #expect(json.output.contains(#""reloaded":false"#))
        }
    }

    @Test(
        "new workers start before the old ones go: none that calls waits for a handler that starts slowly, or not at all"
    )
    func handover() async throws {
        func script(_ text: String, before: String = "") -> String {
            """
            import apus, os, time
            \(before)

            @apus.http
            def answer(request, context):
                return "\(text)"

            apus.run()
            """
        }
        // Longer than a call may wait for a worker.
        let manifest = """
            name: script
            handler: { command: [python3, script.py], contract: apus }
            triggers: [{ http: { path: /script } }]
            limits: { wait: 2s }
            """
        try await ApusHost.with(
            ["script": manifest],
            prepare: { folder in
                try script("one").write(toFile: folder + "/manifests/script.py", atomically: true, encoding: .utf8)
            }
        ) { host in
            let path = host.folder + "/manifests/script.py"
            #expect(try host.get("/script").text == "one")
            let load = Load(port: host.port, path: "/script")
            let counts = try await load.run(keeping: 1, connecting: 1) {
                try script("broken", before: "raise SystemExit(3)")
                    .write(toFile: path, atomically: true, encoding: .utf8)
                let refused = try host.cli("reload")
                #expect(refused.status == 78)
                #expect(refused.error.contains("function 'script' has changed, and its new workers do not start: "))
                try script("two", before: "time.sleep(4)").write(toFile: path, atomically: true, encoding: .utf8)
                #expect(try host.cli("reload").output == "1 function\nchanged: script\n")
            }
            #expect(counts.failed == 0, "\(counts.failures)")
            #expect(counts.bodies["broken"] == nil)
            #expect(try host.get("/script").text == "two")
        }
    }

    @Test("a SIGHUP that comes while the host starts is not lost")
    func earlyHangup() async throws {
        let launcher = ["/bin/sh", "-c", #"echo $$ > "${2%/*}/pid"; exec "$0" "$@""#]
        // Many, so that it takes long.
        let names = (0..<1000).map { "f\($0)" }
        var manifests = Dictionary(uniqueKeysWithValues: names.map { ($0, Self.manifest($0, "/\($0)")) })
        manifests["late"] = Self.manifest("late", "/before")
        try await ApusHost.with(
            manifests, launcher: launcher,
            prepare: { folder in Thread.detachNewThread { Self.hangUp(folder) } }
        ) { host in
            let isTaken = try await eventually { try host.get("/after").status == 200 }
            #expect(isTaken, "\(host.log.suffix(1000))")
        }
    }

    private static func manifest(_ name: String, _ path: String) -> String {
        """
        name: \(name)
        handler: { command: [cat] }
        triggers: [{ http: { path: \(path) } }]
        """
    }

    /// Once the host has read its manifests, changes one and tells it.
    private static func hangUp(_ folder: String) {
        while access(folder + "/data/apus.db", F_OK) != 0 { usleep(100) }
        #expect(throws: Never.self) {
            let pid = try String(contentsOfFile: folder + "/pid", encoding: .utf8)
            try manifest("late", "/after").write(
                toFile: folder + "/manifests/late.yaml", atomically: true, encoding: .utf8)
            kill(try #require(Int32(pid.dropLast())), SIGHUP)
        }
    }

    @Test("functions that a reload adds are stopped in good order by a shutdown that comes before it is done")
    func shutdownDuringReload() async throws {
        func slow(_ text: String, delay: Int) -> String {
            """
            import apus, time
            time.sleep(\(delay))
            apus.http(lambda request, context: "\(text)")
            apus.run()
            """
        }
        let server = """
            import http.server, os, signal, sys
            def bye(*_):
                open("bye", "w").close()
                sys.exit(0)
            signal.signal(signal.SIGTERM, bye)
            server = http.server.HTTPServer(
                ("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler)
            open("up", "w").close()
            server.serve_forever()
            """
        let script = """
            name: script
            handler: { command: [python3, script.py], contract: apus }
            triggers: [{ http: { path: /script } }]
            """
        let added = """
            name: added
            handler: { command: [python3, server.py], contract: http, directory: . }
            triggers: [{ http: { path: /added } }]
            workers: { min: 1 }
            sandbox: { write: [.] }
            """
        try await ApusHost.with(
            ["script": script],
            prepare: { folder in
                let path = folder + "/manifests/"
                try slow("one", delay: 0).write(toFile: path + "script.py", atomically: true, encoding: .utf8)
                try server.write(toFile: path + "server.py", atomically: true, encoding: .utf8)
            }
        ) { host in
            let path = host.folder + "/manifests/"
            #expect(try host.get("/script").text == "one")
            try slow("two", delay: 10).write(toFile: path + "script.py", atomically: true, encoding: .utf8)
            try host.write(manifest: "added", added)
            host.signal(SIGHUP)
            let isUp = await eventually { FileManager.default.fileExists(atPath: path + "up") }
            #expect(isUp, "\(host.log)")
            #expect(host.terminate() == 0)
            #expect(FileManager.default.fileExists(atPath: path + "bye"), "\(host.log)")
        }
    }

    @Test("a request whose function is taken away while its body comes is still served")
    func removedDuringUpload() async throws {
        let manifests = ["worker": Self.worker(), "other": Self.worker(name: "other", path: "/echo")]
        try await ApusHost.with(manifests, arguments: ["--lanes", "1"]) { host in
            let client = try host.connect()
            try client.send(Array("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha".utf8))
            // Answered on the lane that has read the head before, since there is one only.
            #expect(try host.get("/pid").status == 200)
            try FileManager.default.removeItem(atPath: host.folder + "/manifests/other.yaml")
            #expect(try host.cli("reload").output == "1 function\ngone: other\n")
            try client.send(Array("lf".utf8))
            let answer = try client.readResponse(to: "POST")
            #expect(answer.status == 200)
            #expect(answer.text == "half")
        }
    }
}
