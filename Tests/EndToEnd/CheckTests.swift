import Foundation
import Support
import Testing

@Suite("Manifests on the command line")
struct CheckTests {
    private static let hello = """
        name: hello
        handler: { command: [\(ApusHost.build)/Hello], contract: apus }
        triggers: [{ http: { path: "/hello/{name?}" } }]
        """

    @Test("a typo is told with its place and what was meant")
    func typo() async throws {
        try await withTemporaryFolder { folder in
            let text = Self.hello.replacingOccurrences(of: "triggers:", with: "trigers:")
            try text.write(toFile: folder + "/hello.yaml", atomically: true, encoding: .utf8)
            let result = try run(ApusHost.build + "/apus", ["check", folder])
            #expect(result.status == 1)
            #expect(
                (result.output + result.error).contains(
                    "hello.yaml:3:1: unknown key 'trigers'; did you mean 'triggers'?"))
        }
    }

    @Test("serve refuses what check refuses")
    func serve() async throws {
        try await withTemporaryFolder { folder in
            try "name: 7\n".write(toFile: folder + "/hello.yaml", atomically: true, encoding: .utf8)
            let result = try run(
                ApusHost.build + "/apus",
                ["serve", folder, "--data", folder + "/data", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            #expect(result.status == 78)
            #expect(result.error.contains("hello.yaml:1:7"))
        }
    }

    @Test("serve warns in its log of what check warns of")
    func warnings() async throws {
        try await ApusHost.with([:]) { host in
            let folder = host.folder + "/manifests"
            let warning = "the folder holds no *.yaml and no *.yml but reference.yaml"
            let check = try run(ApusHost.build + "/apus", ["check", folder])
            #expect(check.status == 0 && check.error.contains("\(folder): warning: \(warning)"))
            #expect(host.log.contains("WARNING \(folder): \(warning)"))
        }
    }

    @Test("while it watches, a broken manifest changes nothing and says why; a mended one is taken up")
    func watch() async throws {
        try await ApusHost.with(["hello": Self.hello], arguments: ["--watch"]) { host in
            #expect(try host.get("/hello/Ada").text == "Hello, Ada!\n")
            try host.write(manifest: "hello", Self.hello.replacingOccurrences(of: "handler:", with: "handle:"))
            let isTold = await eventually { host.log.contains("unknown key 'handle'") }
            #expect(isTold)
            #expect(try host.get("/hello/Ada").text == "Hello, Ada!\n")
            try host.write(manifest: "hello", Self.hello.replacingOccurrences(of: "/hello/", with: "/hi/"))
            let isTaken = try await eventually { try host.get("/hi/Ada").status == 200 }
            #expect(isTaken)
            #expect(try host.get("/hello/Ada").status == 404)
        }
    }

    @Test("while it watches, a function whose program was not there yet is taken up once it is")
    func programComesLate() async throws {
        let late = """
            name: late
            handler: { command: [./late] }
            triggers: [{ http: { path: /late } }]
            """
        try await ApusHost.with(["hello": Self.hello], arguments: ["--watch"]) { host in
            try host.write(manifest: "late", late)
            let isTold = await eventually { host.log.contains("not reloaded") }
            #expect(isTold, "\(host.log)")
            #expect(try host.get("/late").status == 404)
            let program = host.folder + "/manifests/late"
            try "#!/bin/sh\necho there\n".write(toFile: program + ".new", atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program + ".new")
            try FileManager.default.moveItem(atPath: program + ".new", toPath: program)
            let isTaken = try await eventually { try host.get("/late").text == "there\n" }
            #expect(isTaken, "\(host.log)")
        }
    }

    @Test("a data folder serves one host")
    func lock() async throws {
        try await ApusHost.with(["hello": Self.hello]) { host in
            let second = try run(
                ApusHost.build + "/apus",
                [
                    "serve", host.folder + "/manifests", "--data", host.data, "--listen", "127.0.0.1:0", "--admin",
                    "127.0.0.1:0",
                ])
            #expect(second.status != 0)
            #expect(second.error.contains("\(host.pid)"))
        }
    }

    @Test("SIGTERM finishes what runs, then ends the host in good order")
    func drain() async throws {
        let slow = """
            name: slow
            handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
            triggers: [{ http: { path: "/{rest*}" } }]
            """
        try await ApusHost.with(["slow": slow]) { host in
            let port = host.port
            async let answer = onThreads(1) { _ in try HTTPConnection(port: port).request("GET", "/sleep?ms=3000") }
            let isRunning = try await eventually { try host.function("slow").running == 1 }
            #expect(isRunning)
            #expect(host.terminate() == 0)
            let answers = try await answer
            #expect(answers[0].status == 200)
        }
    }
}
