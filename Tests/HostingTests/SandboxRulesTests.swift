import Manifests
import Testing
import Workers

@testable import Hosting

@Suite("What a host asks of sandboxes")
struct SandboxRulesTests {
    private static let whole = SandboxSupport(
        landlock: 7, hasListeners: true, hasSocketAnswers: true, canDropCapabilities: true, hearsRefusals: true)

    @Test("a machine that lacks a protection is told which, and is none where all are required")
    func missing() throws {
        #expect(SandboxRules.missing(on: Self.whole) == [])
        try SandboxRules.require(on: Self.whole)
        var poor = Self.whole
        poor.landlock = 3
        #expect(SandboxRules.missing(on: poor).map { $0.prefix { $0 != ":" } } == ["network", "signals"])
        poor.canDropCapabilities = false
        let failure = #expect(throws: StartFailure.self) { try SandboxRules.require(on: poor) }
        #expect(failure?.kind == .sandbox)
        let lines = try #require(failure?.description.split(separator: "\n"))
        #expect(lines.count == 4)
        #expect(lines[0].contains("--require-sandbox full"))
        #expect(lines[3].hasPrefix("signals: ") || lines[3].hasPrefix("privileges: "))
    }

    @Test("a function's files are kept from the functions beside it, and from no more than those that run")
    func neighbours() {
        func manifest(_ name: String) -> Manifest {
            Manifest(
                name: name, handler: Handler(command: ["/bin/sh"], contract: .stdio, directory: "/no/\(name)"),
                triggers: [], file: "/no/\(name).yaml")
        }
        let rules = SandboxRules(data: "/no/data", isFullRequired: false)
        let one = rules.applied(to: [manifest("one")])[0]
        #expect(one.sandbox.hidden == ["/no/data"])
        #expect(one.sandbox.neighbourhood?.files.paths == ["/no/one", "/no/one.yaml"])
        // Both sets run, and the first function is the same as before.
        #expect(rules.applied(to: [manifest("one"), manifest("two")])[0] == one)
        #expect(rules.applied(to: [manifest("two")]).count == 1)
        #expect(one.sandbox.neighbourhood?.files.count(below: "/no") == 4)
        rules.settle(on: [manifest("two")])
        #expect(one.sandbox.neighbourhood?.files.paths == ["/no/two", "/no/two.yaml"])
        _ = rules.applied(to: [manifest("two"), manifest("three")])
        #expect(one.sandbox.neighbourhood?.files.count(below: "/no") == 4)
        // A reload that is refused changes nothing.
        rules.revert()
        #expect(one.sandbox.neighbourhood?.files.paths == ["/no/two", "/no/two.yaml"])
    }
}
