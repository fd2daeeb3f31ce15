import Events
import Foundation
import Manifests
import Support
import Testing
import Workers

/// Each protection, by an attempt that it stops, and by the same attempt without it, which must succeed: that is the
/// proof that the protection did it.
@Suite("In its sandbox, a worker", .serialized, .timeLimit(.minutes(3)))
struct SandboxTests {
    // MARK: Files

    @Test("cannot read the host's database, even below what it may read", arguments: [true, false])
    func database(_ isProtected: Bool) async throws {
        try await withTemporaryFolder { folder in
            let data = folder + "/project/data"
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
            try "secret".write(toFile: data + "/apus.db", atomically: true, encoding: .utf8)
            try "mine".write(toFile: folder + "/project/own.txt", atomically: true, encoding: .utf8)
            let manifest = Handlers.shell("cat data/apus.db own.txt; :") {
                $0.handler.directory = folder + "/project"
                $0.sandbox.hidden = [data]
                if !isProtected { $0.sandbox.lifted = [.files] }
            }
            try await expect(manifest, isProtected ? "mine" : "secretmine", refusal: "Permission denied")
        }
    }

    @Test(
        "cannot read the host's database in a folder of the system", .enabled(if: geteuid() == 0),
        arguments: [true, false])
    func databaseOfSystem(_ isProtected: Bool) async throws {
        let folder = "/opt/apus-test-\(UUID().uuidString)"
        let data = folder + "/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try "secret".write(toFile: data + "/apus.db", atomically: true, encoding: .utf8)
        try "mine".write(toFile: folder + "/own.txt", atomically: true, encoding: .utf8)
        let manifest = Handlers.shell("cat \(data)/apus.db \(folder)/own.txt; :") {
            $0.sandbox.hidden = [data]
            if !isProtected { $0.sandbox.lifted = [.files] }
        }
        try await expect(manifest, isProtected ? "mine" : "secretmine", refusal: "Permission denied")
    }

    @Test("cannot read its neighbours' manifests and code in the folder that they share", arguments: [true, false])
    func neighbours(_ isProtected: Bool) async throws {
        try await withTemporaryFolder { folder in
            for file in ["one.yaml", "one.sh", "other.yaml", "other.py", "common.py"] {
                try "# \(file)\n".write(toFile: "\(folder)/\(file)", atomically: true, encoding: .utf8)
            }
            try "cat one.yaml common.py other.yaml other.py; python3 -Bc 'import common'".write(
                toFile: folder + "/one.sh", atomically: true, encoding: .utf8)
            func manifest(_ name: String, _ script: String) -> Manifest {
                let handler = Handler(command: ["/bin/sh", script], contract: .stdio, directory: folder)
                return Manifest(
                    name: name, handler: handler, triggers: [.http(Handlers.anyPath)], file: "\(folder)/\(name).yaml")
            }
            let (one, other) = (manifest("one", "one.sh"), manifest("other", "other.py"))
            let neighbourhood = Neighbourhood()
            neighbourhood.add(OwnFiles.kept(of: one).union(OwnFiles.kept(of: other)))
            var tried = one
            tried.sandbox.neighbourhood = neighbourhood
            if !isProtected { tried.sandbox.lifted = [.files] }
            let more = isProtected ? "" : "# other.yaml\n# other.py\n"
            try await expect(tried, "# one.yaml\n# common.py\n" + more, refusal: "Permission denied")
        }
    }

    @Test("cannot read another function's code", arguments: [true, false])
    func otherCode(_ isProtected: Bool) async throws {
        try await withTemporaryFolder { folder in
            for name in ["one", "other"] {
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
                try name.write(toFile: "\(folder)/\(name)/handler", atomically: true, encoding: .utf8)
            }
            let manifest = Handlers.shell("cat handler ../other/handler; :") {
                $0.handler.directory = folder + "/one"
                if !isProtected { $0.sandbox.lifted = [.files] }
            }
            try await expect(manifest, isProtected ? "one" : "oneother", refusal: "Permission denied")
        }
    }

    @Test("cannot look into the home folder of the host's user", arguments: [true, false])
    func home(_ isProtected: Bool) async throws {
        let home = NSHomeDirectory()
        let manifest = Handlers.shell("ls \(home) > /dev/null && echo seen; test $HOME = \(home) || echo not home") {
            if !isProtected { $0.sandbox.lifted = [.files] }
        }
        try await expect(manifest, isProtected ? "not home\n" : "seen\nnot home\n", refusal: "Permission denied")
    }

    @Test("cannot write outside its folders", arguments: [true, false])
    func writing(_ isProtected: Bool) async throws {
        try await withTemporaryFolder { folder in
            try "kept".write(toFile: folder + "/old", atomically: true, encoding: .utf8)
            let script =
                "echo changed > old; mkdir new; mv old moved; rm moved; ln -s x link; truncate -s 0 old; ls; cat *"
            let manifest = Handlers.shell(script + "; :") {
                $0.handler.directory = folder
                if !isProtected { $0.sandbox.lifted = [.files] }
            }
            try await expect(manifest, isProtected ? "old\nkept" : "link\nnew\nold\n", refusal: "Permission denied")
        }
    }

    @Test("reads and writes what its manifest grants, and its temporary directory")
    func grants() async throws {
        try await withTemporaryFolder { folder in
            for name in ["in", "out", "code"] {
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            }
            try "in".write(toFile: folder + "/in/file", atomically: true, encoding: .utf8)
            let script =
                "cp ../in/file ../out/copy && cp ../out/copy $TMPDIR/x && mv $TMPDIR/x ../out/x && cat ../out/x"
            let manifest = Handlers.shell(script) {
                $0.handler.directory = folder + "/code"
                $0.sandbox.read = [folder + "/in"]
                $0.sandbox.write = [folder + "/out"]
            }
            #expect(try await World.text(of: manifest) == "in")
        }
    }

    @Test("controls a device that its manifest grants", arguments: [true, false])
    func device(_ isGranted: Bool) async throws {
        let manifest = Handlers.shell("stty -F /dev/ptmx > /dev/null && echo controlled; :") {
            $0.sandbox.read = ["/dev"]
            $0.sandbox.write = [isGranted ? "/dev/ptmx" : "/dev"]
        }
        // Kernels before 6.10 know no such right.
        let isControlled = isGranted || SandboxSupport.machine.landlock < 5
        try await expect(
            manifest, isControlled ? "controlled\n" : "", refusal: isControlled ? nil : "Permission denied")
    }

    @Test("runs programs of installations in odd places: links, interpreters, virtual environments")
    func interpreters() async throws {
        try await withTemporaryFolder { folder in
            let script = """
                #!/usr/bin/env python3
                import json, sys, tempfile
                tempfile.TemporaryFile().close()
                print(json.dumps(sys.stdin.read()))
                """
            try script.write(toFile: folder + "/real.py", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/real.py")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: "real.py")
            var manifest = Handlers.shell("")
            manifest.handler.command = [folder + "/link"]
            #expect(try await World.text(of: manifest) == "\"\"\n")
        }
    }

    // MARK: Calls

    @Test("cannot trace a process", arguments: [true, false])
    func ptrace(_ isProtected: Bool) async throws {
        let manifest = Handlers.perl("print syscall(\(SystemCall.ptrace), 0, 0, 0, 0) == 0 ? 'traces' : \"$!\"") {
            if !isProtected { $0.sandbox.lifted = [.calls] }
        }
        try await expect(
            manifest, isProtected ? "Operation not permitted" : "traces", logged: isProtected ? "refused ptrace" : nil)
    }

    @Test("cannot mount", .enabled(if: geteuid() == 0), arguments: [true, false])
    func mount(_ isProtected: Bool) async throws {
        // Landlock refuses it too. Who may mount learns that there is no such file system.
        let script =
            "my ($x, $y, $z) = ('x', '/tmp', 'nofs'); syscall(\(SystemCall.mount), $x, $y, $z, 0, 0); print \"$!\""
        let manifest = Handlers.perl(script) {
            if !isProtected { $0.sandbox.lifted = [.calls, .privileges, .files] }
        }
        try await expect(
            manifest, isProtected ? "Operation not permitted" : "No such device",
            logged: isProtected ? "refused mount" : nil)
    }

    @Test("cannot make namespaces", .enabled(if: geteuid() == 0), arguments: [true, false])
    func namespaces(_ isProtected: Bool) async throws {
        let newNames = 0x0400_0000
        let manifest = Handlers.perl("print syscall(\(SystemCall.unshare), \(newNames)) == 0 ? 'made' : \"$!\"") {
            if !isProtected { $0.sandbox.lifted = [.calls, .privileges] }
        }
        try await expect(
            manifest, isProtected ? "Operation not permitted" : "made", logged: isProtected ? "refused unshare" : nil)
    }

    @Test("has none of root's capabilities", .enabled(if: geteuid() == 0), arguments: [true, false])
    func capabilities(_ isProtected: Bool) async throws {
        let manifest = Handlers.shell("grep CapEff /proc/self/status | tr -d '0\\n\\t'") {
            if !isProtected { $0.sandbox.lifted = [.privileges] }
        }
        try await World.with(manifest) { world in
            let text = try await world.request("/").text()
            #expect((text == "CapEff:") == isProtected, "\(text)")
        }
    }

    @Test("cannot signal a process that is not its own", arguments: [true, false])
    func signals(_ isProtected: Bool) async throws {
        let stranger = Process()
        stranger.executableURL = URL(fileURLWithPath: "/bin/sleep")
        stranger.arguments = ["60"]
        try stranger.run()
        defer { stranger.terminate() }
        let manifest = Handlers.shell("kill -0 \(stranger.processIdentifier) && echo sent; sleep 5 & kill $!; :") {
            if !isProtected { $0.sandbox.lifted = [.signals] }
        }
        try await expect(manifest, isProtected ? "" : "sent\n", refusal: "not permitted")
    }

    @Test("cannot connect to an abstract socket of a process that is not its own", arguments: [true, false])
    func abstractSockets(_ isProtected: Bool) async throws {
        let name = "apus-test-\(UInt64.random(in: 0 ... .max))"
        let stranger = Process()
        stranger.executableURL = URL(fileURLWithPath: "/usr/bin/perl")
        let serve =
            "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(\"\\0\(name)\")) && listen(S, 8);"
        let output = Pipe()
        stranger.arguments = ["-e", serve + "$| = 1; print 'listens'; sleep 60"]
        stranger.standardOutput = output
        try stranger.run()
        defer { stranger.terminate() }
        #expect(try output.fileHandleForReading.read(upToCount: 7) == Data("listens".utf8))
        let manifest = Handlers.perl(
            """
            use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0) or die;
            print connect(S, pack_sockaddr_un("\\0\(name)")) ? "connected" : "$!";
            """
        ) {
            if !isProtected { $0.sandbox.lifted = [.signals] }
        }
        try await expect(manifest, isProtected ? "Operation not permitted" : "connected")
    }

    @Test("inherits no descriptor but its own, can gain no privilege, and has the limits of a worker")
    func inheritance() async throws {
        // One that closes with no program that is started.
        let leaky = fcntl(0, F_DUPFD, 100)
        #expect(leaky >= 100)
        defer { close(leaky) }
        var files = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        let most = min(4096, files.rlim_max)
        let manifest = Handlers.shell(
            "cd /proc/self/fd; echo *; grep NoNewPrivs ../status; ulimit -Hn; ulimit -Sn; ulimit -Hc; ulimit -Sc")
        #expect(try await World.text(of: manifest) == "0 1 2 3\nNoNewPrivs:\t1\n\(most)\n\(most)\n0\n0\n")
    }

    /// Runs the program once, and compares what it printed, what it complained about, and what the host logged.
    private func expect(
        _ manifest: Manifest, _ output: String, refusal: String? = nil, logged: String? = nil,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await World.with(manifest) { world in
            let text = try await world.request("/").text()
            #expect(text == output, sourceLocation: location)
            let said = world.lines
            if let refusal, manifest.sandbox.lifted.isEmpty {
                let isLogged = await eventually { said.first(.stderr, containing: refusal) != nil }
                #expect(isLogged, "nothing of '\(refusal)'", sourceLocation: location)
            }
            if let logged {
                let isLogged = await eventually { said.first(.host, containing: "sandbox: " + logged) != nil }
                #expect(isLogged, "nothing of '\(logged)'", sourceLocation: location)
            }
        }
    }
}

/// Numbers of system calls.
enum SystemCall {
    #if arch(x86_64)
        static let (ptrace, mount, unshare, clone, exit) = (101, 165, 272, 56, 60)
    #else
        static let (ptrace, mount, unshare, clone, exit) = (117, 40, 97, 220, 93)
    #endif
}

extension Handlers {
    /// A Perl script, which can make any system call, by the `stdio` contract.
    static func perl(_ script: String, _ adjust: (inout Manifest) -> Void = { _ in }) -> Manifest {
        var manifest = shell("", [.http(anyPath)], adjust)
        manifest.handler.command = ["/usr/bin/perl", "-e", script]
        return manifest
    }
}
