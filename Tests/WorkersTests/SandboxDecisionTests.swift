import Foundation
import Manifests
import Support
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
            let carving = Carving(hidden: [folder + "/a/data"])
            #expect(carving.pieces(of: folder) == [folder + "/a/code", folder + "/b"])
            #expect(carving.pieces(of: folder + "/b") == [folder + "/b"])
            #expect(carving.pieces(of: folder + "/a/data/logs") == [])
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
        #expect(machine.report(on: sandbox).first { $0.protection == .files }?.isActive == false)
        #expect(machine.refusal(of: sandbox) == nil)
        sandbox.network = .loopback
        #expect(machine.refusal(of: sandbox)?.contains("sandbox.network: loopback") == true)
        sandbox.enabled = false
        #expect(machine.refusal(of: sandbox) == nil)
        #expect(machine.report(on: sandbox) == [])
    }
}
