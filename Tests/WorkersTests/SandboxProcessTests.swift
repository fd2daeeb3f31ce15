import Events
import Foundation
import Manifests
import Support
import Testing
import Workers

@Suite("The processes of a sandbox", .serialized, .timeLimit(.minutes(3)))
struct SandboxProcessTests {
    @Test("are bounded, which the log tells", arguments: [true, false])
    func bounded(_ isProtected: Bool) async throws {
        let script =
            "for n in $(seq 1 40); do sleep 60 > /dev/null 2>&1 & done; sleep \(isProtected ? 60 : 2); echo all"
        let manifest = Handlers.shell(script) {
            $0.limits.processes = 20
            if !isProtected { $0.sandbox.lifted = [.processes] }
        }
        try await World.with(manifest) { world in
            guard isProtected else {
                let text = try await world.request("/").text()
                #expect(text == "all\n")
                return
            }
            let failure = try await world.failure(of: "/")
            #expect(failure.message.contains("more than 20 (limits.processes)"), "\(failure)")
            #expect(world.lines.first(.host, containing: "worker killed: it has") != nil)
        }
    }

    @Test("fork without fail while their children end: no call of theirs is interrupted")
    func restless() async throws {
        let script = "n=0; while [ $n -lt 300 ]; do : & n=$((n+1)); done; wait; echo well"
        for _ in 0..<3 { #expect(try await World.text(of: Handlers.shell(script)) == "well\n") }
    }

    @Test("are held when they are a fork bomb: neighbours answer, and nothing is left of it")
    func bomb() async throws {
        let mark = "bomb-\(UInt32.random(in: 0 ... .max))"
        // Each leaves its group, so that ending that does not end it.
        let script = "bomb() { setsid sh -c 'while :; do sleep 60 & sleep 60 & wait; done' \(mark) & bomb; }; bomb"
        let manifest = Handlers.shell(script) { $0.limits.processes = 40 }
        try await World.with(manifest) { world in
            async let bomb = world.failure(of: "/", time: .seconds(2))
            try await World.with(Handlers.shell("sleep 0.1 & wait; echo well")) { neighbour in
                for _ in 0..<5 {
                    let text = try await neighbour.request("/").text()
                    #expect(text == "well\n")
                }
            }
            _ = try await bomb
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
        let isGone = await eventually { !commandLines().contains { $0.contains(mark) } }
        #expect(isGone, "\(commandLines().filter { $0.contains(mark) })")
    }

    @Test("end with their worker wherever they have gone")
    func strays() async throws {
        let mark = "stray-\(UInt32.random(in: 0 ... .max))"
        let script = "env -i setsid sh -c 'sleep 1000; :' \(mark) > /dev/null 2>&1 < /dev/null & echo started"
        try await World.with(Handlers.shell(script)) { world in
            let text = try await world.request("/").text()
            #expect(text == "started\n")
            let isGone = await eventually { !commandLines().contains { $0.contains(mark) } }
            #expect(isGone)
        }
    }

    @Test("count until they are reaped")
    func zombies() async throws {
        let script = "for (1..40) { fork or exit } sleep 60"
        let manifest = Handlers.perl(script) { $0.limits.processes = 20 }
        try await World.with(manifest) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.message.contains("more than 20 (limits.processes)"), "\(failure)")
        }
    }

    @Test("end with their worker even when their first thread has ended before")
    func headless() async throws {
        let script = """
            import ctypes, os, sys, threading, time
            stray = os.fork()
            if stray:
                while ") Z " not in open(f"/proc/{stray}/stat").read(): time.sleep(0.01)
                print(stray); sys.exit()
            os.setsid(); os.closerange(0, 3)
            threading.Thread(target=lambda: time.sleep(1000)).start()
            ctypes.CDLL(None).syscall(\(SystemCall.exit), 0)
            """
        var manifest = Handlers.shell("")
        manifest.handler.command = ["/usr/bin/python3", "-c", script]
        try await World.with(manifest) { world in
            let stray = try #require(pid_t(try await world.request("/").text().trimmed))
            let threads = "/proc/\(stray)/task"
            let isGone = await eventually {
                (try? FileManager.default.contentsOfDirectory(atPath: threads).count) ?? 0 < 2
            }
            #expect(isGone)
        }
    }

    @Test("are no children of the host, which would have to reap them", arguments: [true, false])
    func siblings(_ isProtected: Bool) async throws {
        // CLONE_PARENT and SIGCHLD.
        let manifest = Handlers.perl(
            """
            my $id = syscall(\(SystemCall.clone), 0x8011, 0, 0, 0, 0);
            if ($id == 0) { sleep 60; exit }
            print $id > 0 ? $id : "$!";
            """
        ) {
            if !isProtected { $0.sandbox.lifted = [.calls] }
        }
        try await World.with(manifest) { world in
            let text = try await world.request("/").text()
            guard isProtected else {
                let child = try #require(pid_t(text))
                kill(child, SIGKILL)
                #expect(waitpid(child, nil, 0) == child)
                return
            }
            #expect(text == "Operation not permitted")
            let isLogged = await eventually { world.lines.first(.host, containing: "sandbox: refused clone") != nil }
            #expect(isLogged)
        }
    }

    @Test("keep the mark by which they are known")
    func marked() async throws {
        let manifest = Handlers.shell("(ulimit -x 7 && echo lowered); (ulimit -x unlimited && echo raised); :") {
            $0.handler.command[0] = "/bin/bash"
        }
        #expect(try await World.text(of: manifest) == "")
    }

    @Test("keep together no more than its memory", arguments: [true, false])
    func memory(_ isProtected: Bool) async throws {
        // Each alone is within the limit.
        let child =
            "perl -e '$x = \"x\"; $x x= 60 << 20; print \"has\\n\"; $ARGV[0] and sleep 30' \(isProtected ? 1 : 0)"
        let manifest = Handlers.shell("for n in 1 2 3; do \(child) & done; wait; echo all") {
            $0.limits.memory = 128 << 20
            if !isProtected { $0.sandbox.lifted = [.memory] }
        }
        try await World.with(manifest) { world in
            guard isProtected else {
                let text = try await world.request("/").text()
                #expect(text == "has\nhas\nhas\nall\n")
                return
            }
            let failure = try await world.failure(of: "/")
            #expect(failure.message.contains("its processes keep"), "\(failure)")
            #expect(failure.message.contains("more than 128 MiB (limits.memory)"), "\(failure)")
            #expect(world.lines.first(.host, containing: "worker killed: its processes keep") != nil)
        }
    }

    /// Of all processes; arguments are separated by NUL.
    private func commandLines() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.filter { Int($0) != nil }.compactMap {
            (try? String(contentsOfFile: "/proc/\($0)/cmdline", encoding: .utf8))
        }
    }
}
