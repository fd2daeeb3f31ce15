import Foundation
import Manifests
import Support
import Synchronization
import Testing
import Workers

@Suite("What a sandbox decides") struct SandboxDecisionTests {
    @Test("the log hears of each refusal once, and of no more than twenty")
    func news() {
        var ward = Ward()
        #expect([ward.isNews("a"), ward.isNews("a"), ward.isNews("b")] == [true, false, true])
        #expect((0..<100).count { ward.isNews("\($0)") } == 18)
    }

    @Test("workers are looked at the sooner the fuller one is or the more processes there are, but never all the time")
    func pace() {
        let start = ContinuousClock.now
        func isDue(after time: Duration, fullest: Double, cost: Duration = .milliseconds(1), new: UInt64 = 0) -> Bool {
            var pace = WatchPace()
            pace.hasLooked(start, lastProcess: 1000, fullest: fullest, cost: cost)
            return pace.isDue(start + time, lastProcess: 1000 + new)
        }
        #expect(WatchPace().isDue(start, lastProcess: 0))
        #expect(
            [isDue(after: .milliseconds(499), fullest: 0.1), isDue(after: .milliseconds(500), fullest: 0.1)] == [
                false, true,
            ])
        #expect(
            [isDue(after: .milliseconds(99), fullest: 0.6), isDue(after: .milliseconds(100), fullest: 0.6)] == [
                false, true,
            ])
        #expect(isDue(after: .milliseconds(25), fullest: 0.9))
        #expect(isDue(after: .milliseconds(25), fullest: 0.1, new: 40))
        #expect(!isDue(after: .milliseconds(10), fullest: 0.1, new: 40))
        #expect(!isDue(after: .seconds(1), fullest: 1, cost: .milliseconds(100), new: 40))
    }

    @Test("what is hidden falls out of what is granted, and the rest stays")
    func carving() async throws {
        try await withTemporaryFolder { folder in
            for path in ["a/data/logs", "a/code", "b"] {
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
            }
            try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "a/data")
            func pieces(_ path: String, but open: Set<String> = []) -> Carving.Pieces {
                let carving = Carving(hidden: HiddenPaths([folder + "/a/data", folder + "/a/data/logs"]), but: open)
                var pieces = Carving.Pieces()
                if !carving.hides(path) { carving.carve(path, into: &pieces) }
                return pieces
            }
            // Not the link, which would open what it leads to.
            #expect(pieces(folder).whole == [folder + "/a/code", folder + "/b"])
            #expect(pieces(folder).listed == [folder, folder + "/a"])
            #expect(pieces(folder + "/b").whole == [folder + "/b"])
            #expect(pieces(folder + "/a/data/logs") == Carving.Pieces())
            #expect(pieces(folder, but: [folder + "/a/data", folder + "/a/data/logs"]).whole == [folder])
        }
    }

    @Test("what is in a folder is listed again once a name has come or gone, and only then")
    func shown() async throws {
        try await withTemporaryFolder { folder in
            let listings = Mutex(0)
            let entries = ShownEntries { folder in
                listings.withLock { $0 += 1 }
                return FolderListing.names(in: folder, withLinks: false)
            }
            /// Names, and how often the folder was listed for them, a day later unless told otherwise.
            func shown(later seconds: Int = 86400, without hidden: [String] = ["hidden"]) -> ([String], Int) {
                listings.withLock { $0 = 0 }
                let hidden = HiddenPaths(Set(hidden.map { "\(folder)/\($0)" }))
                let paths = entries.paths(in: folder, without: hidden, now: time(nil) + seconds)
                return (paths.map { String($0.dropFirst(folder.count + 1)) }, listings.withLock { $0 })
            }
            func add(_ name: String) throws {
                try "".write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
            }
            try add("hidden")
            try add("b")
            // What was touched a moment ago may be touched again without a sign of it.
            #expect(shown(later: 0) == (["b"], 1))
            #expect(shown() == (["b"], 1))
            #expect(shown() == (["b"], 0))
            #expect(shown(without: ["b"]) == (["hidden"], 1))
            #expect(shown(without: []) == (["b", "hidden"], 1))
            #expect(shown(without: []) == (["b", "hidden"], 0))
            try add("a")
            // Whatever its times are set to.
            let past = Date(timeIntervalSince1970: 1_000_000)
            try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: folder)
            #expect(shown() == (["a", "b"], 1))
            try add("c")
            try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: folder)
            #expect(shown() == (["a", "b", "c"], 1))
            try FileManager.default.removeItem(atPath: "\(folder)/b")
            #expect(shown() == (["a", "c"], 1))
            #expect(shown() == (["a", "c"], 0))
        }
    }

    @Test("what is hidden in the system's folders falls out of those too")
    func system() {
        let folder = "/usr/share"
        var manifest = Handlers.shell("")
        manifest.handler.directory = "/"
        #expect(FileGrants(manifest, home: "/home/nobody", searchPath: []).withoutSystem == [])
        manifest.sandbox.hidden = [folder]
        let grants = FileGrants(manifest, home: "/home/nobody", searchPath: [])
        // And what of other rules lies there by links, such as the machine's time zone.
        #expect(grants.withoutSystem.contains("/usr"))
        #expect(grants.list == ["/usr"])
        #expect(grants.read.contains("/usr/local"))
        #expect(!grants.read.contains { AbsolutePath.covers($0, folder) || AbsolutePath.covers(folder, $0) })
    }

    @Test("of the folder of many functions, each is granted what is its own and what is nobody's")
    func neighbours() async throws {
        try await withTemporaryFolder { folder in
            for path in ["one", "two"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
            }
            for path in ["a.yaml", "b.yaml", "a.py", "b.py", "c.py", "common.py", "two/main.py"] {
                try path.write(toFile: "\(folder)/\(path)", atomically: true, encoding: .utf8)
            }
            func manifest(_ name: String, _ command: [String], _ directory: String? = nil) -> Manifest {
                let handler = Handler(
                    command: ["/bin/sh"] + command, contract: .stdio, directory: directory ?? folder,
                    namesDirectory: directory != nil)
                return Manifest(name: name, handler: handler, triggers: [], file: "\(folder)/\(name).yaml")
            }
            let all = [
                manifest("a", ["a.py"]), manifest("b", ["b.py"]), manifest("c", ["-m", "c"]),
                manifest("two", ["main.py"], folder + "/two"),
            ]
            let neighbourhood = Neighbourhood()
            neighbourhood.add(all.reduce(into: []) { $0.formUnion(OwnFiles.kept(of: $1)) })
            func read(_ index: Int, _ adjust: (inout Manifest) -> Void = { _ in }) -> Set<String> {
                var manifest = all[index]
                manifest.sandbox.neighbourhood = neighbourhood
                adjust(&manifest)
                let grants = FileGrants(manifest, home: "/home/nobody", searchPath: [])
                return Set(grants.read.map { $0 == folder ? "." : String($0.dropFirst(folder.utf8.count + 1)) })
            }
            #expect(read(0) == ["a.yaml", "a.py", "common.py", "one"])
            #expect(read(1) == ["b.yaml", "b.py", "common.py", "one"])
            #expect(read(2) == ["c.py", "common.py", "one"])
            #expect(read(3) == ["two"])
            // The host's own is hidden from all that is left.
            #expect(read(0) { $0.sandbox.hidden = [folder + "/one"] } == ["a.yaml", "a.py", "common.py"])
            // What is granted is meant, and a product that names no directory needs none.
            #expect(read(0) { $0.sandbox.read = [folder] } == ["."])
            #expect(read(0) { $0.handler.product = "A" } == ["a.py"])
            // One alone has all of its folder, so that what comes into it later is there as well.
            neighbourhood.replace(with: OwnFiles.kept(of: all[0]))
            #expect(read(0) == ["."])
        }
    }

    @Test("a program brings what is behind its links, its interpreter and its installation")
    func program() async throws {
        try await withTemporaryFolder { folder in
            let files = FileManager.default
            for path in ["python/bin", "python/lib", "python/secrets", "venv/bin", "venv/lib", "app"] {
                try files.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
            }
            try files.createSymbolicLink(
                atPath: folder + "/venv/bin/python", withDestinationPath: folder + "/python/bin/python")
            try "".write(toFile: folder + "/python/bin/python", atomically: true, encoding: .utf8)
            try "home = \(folder)/python/bin\n".write(
                toFile: folder + "/venv/pyvenv.cfg", atomically: true, encoding: .utf8)
            try "#!\(folder)/venv/bin/python -u\n".write(
                toFile: folder + "/app/main", atomically: true, encoding: .utf8)
            var manifest = Handlers.shell("")
            manifest.handler.command = [folder + "/app/main", "--verbose"]
            let grants = FileGrants(manifest, home: "/home/nobody", searchPath: [])
            let resolved = try #require(realpath(folder, nil).map { String(cString: $0) })
            let expected = ["app/main", "python/bin", "python/lib", "venv/bin", "venv/lib", "venv/pyvenv.cfg"]
            #expect(grants.read == expected.map { resolved + "/" + $0 })
        }
    }

    @Test("a directory that holds the user's home is no grant, nor is a home the installation of its bin")
    func homes() {
        var manifest = Handlers.shell("")
        manifest.handler.directory = "/"
        let grants = FileGrants(manifest, home: "/home/nobody", searchPath: ["/home/nobody/bin", "/usr/bin"])
        #expect(grants.read == [])
    }

    @Test("a machine without a protection says what it takes, and refuses only what a manifest asks for")
    func support() {
        var machine = SandboxSupport.machine
        machine.landlock = 0
        machine.hasListeners = false
        machine.hasSocketAnswers = false
        var sandbox = Sandbox()
        #expect(machine.active(for: sandbox).isDisjoint(with: [.files, .calls, .signals, .network]))
        #expect(machine.obstacle(to: .files)?.contains("Landlock") == true)
        func report() -> [SandboxReport] { machine.report(on: Handlers.shell("") { $0.sandbox = sandbox }, in: nil) }
        #expect(report().first { $0.protection == .files }?.isActive == false)
        #expect(machine.refusal(of: sandbox) == nil)
        sandbox.network = .loopback
        #expect(machine.refusal(of: sandbox)?.contains("sandbox.network: loopback") == true)
        sandbox.enabled = false
        #expect(machine.refusal(of: sandbox) == nil)
        #expect(report() == [])
    }

    @Test("a machine says whether what files are refused gets into the log, and what it takes")
    func logging() {
        var machine = SandboxSupport(
            landlock: 7, hasListeners: true, hasSocketAnswers: true, canDropCapabilities: true, hearsRefusals: true)
        func details() -> String? {
            machine.report(on: Handlers.shell(""), in: nil).first { $0.protection == .files }?.details
        }
        #expect(details() == "Landlock ABI 7, refusals logged while the kernel audits (auditctl -e 1)")
        machine.hearsRefusals = false
        #expect(details() == "Landlock ABI 7, refusals not logged (CAP_AUDIT_READ)")
        machine.landlock = 6
        #expect(details() == "Landlock ABI 6, refusals not logged (Linux 6.15)")
    }

    @Test("a machine without rules for ports has no worker API with 'network: none', and no servers")
    func ports() {
        let old = SandboxSupport(
            landlock: 3, hasListeners: true, hasSocketAnswers: true, canDropCapabilities: true, hearsRefusals: false)
        var new = old
        new.landlock = 4
        let filter = Handlers.shell("") { $0.sandbox.network = .none }
        #expect([old, new].map { $0.hasWorkerAPI(for: filter.sandbox) } == [false, true])
        #expect(old.refusal(of: filter.sandbox) == nil)
        #expect(old.refusal(of: filter.sandbox, needsPorts: true) != nil)
        func network(_ manifest: Manifest, on machine: SandboxSupport) -> (isActive: Bool, details: String)? {
            machine.report(on: manifest, in: nil).first { $0.protection == .network }.map { ($0.isActive, $0.details) }
        }
        #expect(network(filter, on: old)?.isActive == true)
        #expect(network(filter, on: old)?.details.hasPrefix("no sockets; the worker API") == true)
        #expect(network(filter, on: new)?.details == "no sockets but to the host, Landlock ABI 4")
        let server = Handlers.server { $0.sandbox.network = .none }
        #expect(network(server, on: old)?.isActive == false)
        #expect(network(server, on: new)?.isActive == true)
        for other in [Sandbox.Network.loopback, .full] {
            #expect(old.hasWorkerAPI(for: Handlers.shell("") { $0.sandbox.network = other }.sandbox))
        }
        #expect(old.hasWorkerAPI(for: Handlers.shell("") { $0.sandbox.enabled = false }.sandbox))
    }
}
