import Foundation
import Support
import Testing

@Suite("The sandbox, from outside") struct SandboxTests {
    @Test("a handler cannot read the host's database beside it, its neighbour goes on, and `apus show` says what holds")
    func database() async throws {
        let thief = """
            name: thief
            handler:
              command: [/bin/sh, -c, "cat data/apus.db; echo rc=$?; cat manifests/hello.yaml; ls manifests"]
              directory: ..
            triggers: [{ http: { path: /thief } }]
            limits: { processes: 7 }
            sandbox: { network: none }
            """
        let hello = """
            name: hello
            handler: { command: [\(ApusHost.build)/Hello], contract: apus }
            triggers: [{ http: { path: "/hello/{name?}" } }]
            """
        try await ApusHost.with(["thief": thief, "hello": hello]) { host in
            // The data folder lies in the function's directory, and is carved out of it, as is what is its neighbour's.
            #expect(try host.get("/thief").text == "rc=1\nhello.yaml\nthief.yaml\n")
            #expect(try host.get("/hello/Ada").text == "Hello, Ada!\n")
            let isLogged = try await eventually {
                try host.cli("logs", "thief").output.contains("data/apus.db: Permission denied")
            }
            #expect(isLogged)
            let isOtherLogged = try await eventually {
                try host.cli("logs", "thief").output.contains("manifests/hello.yaml: Permission denied")
            }
            #expect(isOtherLogged)
            let shown = try host.cli("show", "thief").output
            for protection in ["files", "network", "calls", "privileges", "signals", "processes", "memory"] {
                #expect(shown.contains("\n  \(protection) "), "\(shown)")
            }
            #expect(try host.cli("show", "thief", "--json").output.contains(#""limits.processes":"7""#))
        }
    }

    @Test("a grant of the host's data folder is refused, and so is a function without a sandbox where all is required")
    func rules() async throws {
        func manifest(_ sandbox: String) -> String {
            """
            name: cat
            handler: { command: [cat] }
            triggers: [{ http: { path: /cat } }]
            sandbox: \(sandbox)
            """
        }
        func serve(_ sandbox: String, _ arguments: [String] = []) async throws -> CommandResult {
            try await withTemporaryFolder { folder in
                try FileManager.default.createDirectory(
                    atPath: folder + "/data/logs", withIntermediateDirectories: true)
                let text = manifest(sandbox.replacingOccurrences(of: "DATA", with: folder + "/data"))
                try text.write(toFile: folder + "/cat.yaml", atomically: true, encoding: .utf8)
                return try run(
                    ApusHost.build + "/apus",
                    [
                        "serve", folder + "/cat.yaml", "--data", folder + "/data", "--listen", "127.0.0.1:0",
                        "--admin", "127.0.0.1:0",
                    ] + arguments)
            }
        }
        let greedy = try await serve("{ read: [DATA/logs] }")
        #expect(greedy.status == 78)
        #expect(greedy.error.contains("which is in the host's data folder"))
        let bare = try await serve("off", ["--require-sandbox", "full"])
        // 69 where the machine itself lacks something.
        #expect(bare.status == 78 || bare.status == 69)
        #expect(bare.error.contains("--require-sandbox full"))
        #expect(try await serve("off", ["--require-sandbox", "half"]).status == 64)
    }
}
