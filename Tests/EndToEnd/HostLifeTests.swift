import Foundation
import Support
import Testing
import Threads

@Suite("The life of a host")
struct HostLifeTests {
    private static func worker(_ more: String = "") -> String {
        """
        name: worker
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/{rest*}" } }]
        \(more)
        """
    }

    private static func shell(_ script: String, trigger: String = #"http: { path: "/shell" }"#, sandbox: String = "{}")
        -> String
    {
        """
        name: shell
        handler: { command: [/bin/sh, -c, "\(script)"], contract: stdio }
        triggers: [{ \(trigger) }]
        sandbox: \(sandbox)
        """
    }

    @Test(
        "an address in use is told with its option and a way out, before anything runs", arguments: ["listen", "admin"])
    func addressInUse(option: String) async throws {
        try await ApusHost.with(["worker": Self.worker()]) { host in
            let taken = "127.0.0.1:\(host.adminPort)"
            let other = option == "listen" ? "admin" : "listen"
            let second = try run(
                ApusHost.build + "/apus",
                [
                    "serve", host.folder + "/manifests", "--data", host.folder + "/other", "--\(option)", taken,
                    "--\(other)", "127.0.0.1:0",
                ])
            #expect(second.status == 69)
            #expect(second.error.contains("--\(option): cannot listen on \(taken): another program listens there"))
            #expect(!second.error.contains("serves"))
        }
    }

    @Test("says how many functions it serves, in the right number")
    func announcement() async throws {
        try await ApusHost.with(["worker": Self.worker()]) { host in
            #expect(host.log.contains("serves 1 function on http://127.0.0.1:\(host.port)"))
        }
    }

    @Test(
        "lanes and the writer have short slices of the processors, and workers the kernel's",
        .enabled(if: Slice.of().map { $0.microseconds > Slice.short.microseconds } ?? false))
    func slices() async throws {
        try await ApusHost.with(["worker": Self.worker()], arguments: ["--lanes", "3"]) { host in
            #expect(try host.connect().request("GET", "/echo").status == 200)
            let threads = try Self.threads(of: host.pid)
            // The fourth is the writer.
            #expect(threads.count { Slice.of($0) == .short } == 4)
            let workers = try threads.flatMap { thread in
                try String(contentsOfFile: "/proc/\(host.pid)/task/\(thread)/children", encoding: .utf8)
                    .split(separator: " ").compactMap { Int32($0) }
            }
            #expect(!workers.isEmpty)
            for worker in workers { #expect(try Self.threads(of: worker).allSatisfy { Slice.of($0) == Slice.of() }) }
        }
    }

    private static func threads(of pid: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").compactMap { Int32($0) }
    }

    @Test("says when it begins to stop, and at last that it has stopped")
    func stopping() async throws {
        try await ApusHost.with(["worker": Self.worker()]) { host in
            host.signal(SIGTERM)
            #expect(host.wait() == 0)
            #expect(host.log.contains("stopping: finishing what runs"))
            #expect(host.log.hasSuffix(" stopped\n"))
        }
    }

    @Test("raises its limit of open files and keeps clients within it")
    func openFiles() async throws {
        let launcher = ["/usr/bin/prlimit", "--nofile=256:2048"]
        let manifest = Self.shell("ulimit -n")
        try await ApusHost.with(["shell": manifest], launcher: launcher) { host in
            #expect(host.log.contains("the system allows 2048 open files"))
            let limit = try host.get("/shell").text
            #expect(limit == "2048\n")
        }
    }

    @Test("learns how programs end even if SIGCHLD was ignored when it was started")
    func ignoredChildren() async throws {
        let launcher = ["/usr/bin/env", "--ignore-signal=CHLD"]
        try await ApusHost.with(["shell": Self.shell("exit 3")], launcher: launcher) { host in
            let status = try host.get("/shell").status
            #expect(status >= 500)
        }
    }

    @Test("a file trigger that would see the data folder is refused, at start and at reload")
    func selfFeeding() async throws {
        func watching(_ path: String, _ more: String = "") -> String {
            Self.shell("cat", trigger: "file: { watch: \(path)\(more) }")
        }
        try await ApusHost.with(["worker": Self.worker()]) { host in
            try host.write(manifest: "shell", watching(host.folder))
            host.signal(SIGHUP)
            let reason = "function 'shell' watches \(host.folder), and the host's data folder \(host.data) is in there"
            #expect(await eventually { host.log.contains(reason) })
            #expect(try host.get("/pid").status == 200)
            host.kill()
            let start = try run(
                ApusHost.build + "/apus",
                [
                    "serve", host.folder + "/manifests", "--data", host.data, "--listen", "127.0.0.1:0", "--admin",
                    "127.0.0.1:0",
                ])
            #expect(start.status == 78)
            #expect(start.error.contains(reason))
            try host.write(manifest: "shell", watching(host.folder, #", exclude: ["data/**", "*.log"]"#))
            try await host.start()
            #expect(host.log.contains("serves 2 functions"))
        }
    }

    @Test("a reload leaves the calls of the set before the time that their manifest promised")
    func reloadWhileRunning() async throws {
        try await ApusHost.with(["worker": Self.worker()], arguments: ["--drain", "1s"]) { host in
            let port = host.port
            async let answer = onThreads(1) { _ in try HTTPConnection(port: port).request("GET", "/sleep?ms=4000") }
            let isRunning = try await eventually { try host.function("worker").running == 1 }
            #expect(isRunning)
            try host.write(manifest: "worker", Self.worker("description: another"))
            host.signal(SIGHUP)
            #expect(await eventually { host.log.contains("reloaded: 1 function") })
            let answers = try await answer
            #expect(answers[0].status == 200)
        }
    }

    @Test("a second SIGTERM ends the host and every process of its workers at once")
    func secondSignal() async throws {
        let manifest = Self.shell("sleep 1000 & echo $! > pids; sleep 1000", sandbox: "{ write: [.] }")
        try await ApusHost.with(["shell": manifest]) { host in
            let port = host.port
            async let answer: [Void] = onThreads(1) { _ in
                _ = try? HTTPConnection(port: port).request("GET", "/shell")
            }
            func child() -> Int32? {
                let text = try? String(contentsOfFile: host.folder + "/manifests/pids", encoding: .utf8)
                return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            }
            #expect(await eventually { child() != nil })
            host.signal(SIGTERM)
            #expect(await eventually { host.log.contains("a second signal stops at once") })
            host.signal(SIGTERM)
            #expect(host.wait() == 143)
            #expect(host.log.contains("stopping at once"))
            let pid = try #require(child())
            #expect(await eventually { Self.isGone(pid) })
            _ = try await answer
        }
    }

    @Test("what a killed host's workers had started is ended by the next host")
    func orphans() async throws {
        // A pipeline: the kernel ends the shell with the host, but not what the shell has started.
        let manifest = Self.shell("sleep 1000 > /dev/null 2>&1 & echo $! > pids; sleep 1000", sandbox: "{ write: [.] }")
        try await ApusHost.with(["shell": manifest]) { host in
            let port = host.port
            async let answer: [Void] = onThreads(1) { _ in
                _ = try? HTTPConnection(port: port).request("GET", "/shell")
            }
            var child: Int32?
            let isStarted = await eventually {
                let text = try? String(contentsOfFile: host.folder + "/manifests/pids", encoding: .utf8)
                child = text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
                return child != nil
            }
            #expect(isStarted)
            host.kill()
            try await host.start()
            let pid = try #require(child)
            let isGone = await eventually { Self.isGone(pid) }
            #expect(isGone)
            _ = try await answer
        }
    }

    /// Gone, or dead and not reaped by whoever has inherited it.
    private static func isGone(_ pid: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return true }
        return status.contains(") Z ")
    }
}
