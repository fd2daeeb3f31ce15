import Foundation
import Manifests
import Support
import Testing
import Workers

@Suite("What a sandbox decides") struct SandboxDecisionTests {
    private let start = ContinuousClock.now

    @Test("a worker starts as many processes as its limit has room for, counted anew when that is used up")
    func allowance() {
        var ward = Ward(limit: 5)
        var counts = 0
        func ask(_ ward: inout Ward, there: Int, after: Duration = .zero) -> Ward.Answer {
            ward.start(isThread: false, now: start + after) {
                counts += 1
                return there
            }
        }
        #expect((0..<4).map { _ in ask(&ward, there: 1) } == Array(repeating: .allow, count: 4))
        #expect(counts == 1)
        #expect(ask(&ward, there: 5) == .refuse)
        #expect(counts == 2)
        // For a moment nobody counts, however often it asks.
        #expect(ask(&ward, there: 1, after: .milliseconds(5)) == .refuse)
        #expect(counts == 2)
        #expect(ask(&ward, there: 4, after: .milliseconds(11)) == .allow)
        #expect(ask(&ward, there: 5, after: .milliseconds(11)) == .refuse)
    }

    @Test("only a process may leave something behind, a thread does not")
    func threads() {
        var ward = Ward(limit: 5)
        _ = ward.start(isThread: true, now: start) { 1 }
        #expect(!ward.hasForked)
        _ = ward.start(isThread: false, now: start) { 1 }
        #expect(ward.hasForked)
    }

    @Test("the log hears of each refusal once, and of no more than twenty")
    func news() {
        var ward = Ward(limit: 5)
        #expect([ward.isNews("a"), ward.isNews("a"), ward.isNews("b")] == [true, false, true])
        #expect((0..<100).count { ward.isNews("\($0)") } == 18)
    }

    @Test("memory is looked at the oftener the fuller it is, and never for long")
    func pace() {
        #expect(MemoryPace.next(fullest: 0.1, cost: .microseconds(100)) == .milliseconds(500))
        #expect(MemoryPace.next(fullest: 0.6, cost: .microseconds(100)) == .milliseconds(100))
        #expect(MemoryPace.next(fullest: 1.2, cost: .microseconds(100)) == .milliseconds(25))
        #expect(MemoryPace.next(fullest: 1.2, cost: .milliseconds(100)) == .seconds(2))
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
        #expect(machine.active(for: sandbox).isDisjoint(with: [.files, .calls, .processes, .signals, .network]))
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
