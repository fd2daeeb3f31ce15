import Foundation
import Support
import Testing

@Suite("What Landlock refuses", .enabled(if: KernelAudit.isAllowed, "\(KernelAudit.why)"))
struct RefusalLogTests {
    private struct Line: Decodable {
        var level: String
        var source: String
        var worker: Int32?
        var invocation: String?
        var message: String
    }

    /// What the host has said of a function's sandbox.
    private static func lines(of function: String, _ host: ApusHost) throws -> [Line] {
        try host.cli("logs", function, "--json").output.split(separator: "\n")
            .map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
            .filter { $0.source == "host" && $0.message.hasPrefix("sandbox: ") }
    }

    /// Says nothing of what it has tried, and succeeds.
    private static let thief = """
        name: thief
        handler:
          directory: ..
          command:
            - /bin/sh
            - -c
            - |
              exec > /dev/null 2>&1
              cat data/apus.db
              cat manifests/neighbour.yaml
              ls \(NSHomeDirectory())
              echo x > /usr/apus-test
              echo x > data/x
              echo x > "two words"
              echo x > "two words"
              mkdir folder
              rm code
              cat code
              kill $PPID
              true
        triggers: [{ http: { path: /thief } }]
        """

    private static let neighbour = """
        name: neighbour
        handler: { command: [/bin/cat, code], directory: .. }
        triggers: [{ http: { path: /neighbour } }]
        """

    @Test("to a handler that does not tell of it is in its log, and in no other's")
    func swallowed() async throws {
        try await KernelAudit.whileOn {
            try await ApusHost.with(["thief": Self.thief, "neighbour": Self.neighbour]) { folder in
                for name in ["code", "two words"] {
                    try "mine".write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
                }
            } _: { host in
                #expect(try host.get("/neighbour").text == "mine")
                #expect(try host.get("/thief").status == 200)
                let expected: Set = [
                    "to read \(host.data)/apus.db", "to read \(host.folder)/manifests/neighbour.yaml",
                    "to list \(NSHomeDirectory())", "to make a file in /usr", "to make a file in \(host.data)",
                    "to write \(host.folder)/two words", "to make a folder in \(host.folder)",
                    "to remove a file in \(host.folder)", "to read \(host.folder)/code",
                    "a signal to process \(host.pid) (apus)",
                ]
                var lines: [Line] = []
                // What else a shell is refused depends on the system.
                let areLogged = try await eventually {
                    lines = try Self.lines(of: "thief", host)
                    return expected.isSubset(of: lines.map { String($0.message.dropFirst("sandbox: refused ".count)) })
                }
                #expect(areLogged, "\(lines)")
                #expect(lines.allSatisfy { $0.level == "warning" && $0.worker ?? 0 > 0 && $0.invocation != nil })
                #expect(Set(lines.map(\.invocation)).count == 1)
                // The kernel tells of what was before first.
                let others = try Self.lines(of: "neighbour", host).map(\.message)
                #expect(expected.isDisjoint(with: others.map { String($0.dropFirst("sandbox: refused ".count)) }))
                #expect(try host.cli("show", "thief").output.contains("refusals logged while the kernel audits"))
            }
        }
    }
}
