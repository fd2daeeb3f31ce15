import Admin
import Foundation
import Testing

@testable import CLI

@Suite("apus show")
struct ShowTests {
    @Test("says of each protection whether it is active, missing, or not asked for, and how the breaker stands")
    func sandbox() throws {
        let detail = try JSONDecoder().decode(
            FunctionDetailDocument.self,
            from: Data(
                """
                {
                  "function": {
                    "name": "f", "description": "", "triggers": [], "breaker": "half-open", "outcomes": {}, "running": 0,
                    "pool": { "workers": [], "waiting": 0, "running": 0, "started": 0 }, "last": [],
                    "queue": { "enqueued": 0, "waiting": 0, "running": 0, "done": 0, "dead": 0, "bytes": 0 }
                  },
                  "declared": {
                    "file": "/f.yaml", "contract": "stdio", "command": ["cat"], "directory": "/", "namespace": "f",
                    "settings": {},
                    "sandbox": [
                      { "protection": "files", "active": true, "wanted": true, "details": "Landlock ABI 7" },
                      { "protection": "network", "active": false, "wanted": false, "details": "network: full" },
                      { "protection": "signals", "active": false, "wanted": true, "details": "it takes Linux 6.12" }
                    ]
                  },
                  "invocations": []
                }
                """.utf8))
        let lines = ShowCommand.lines(detail, colours: false)
        #expect(lines.contains("  breaker    half-open"))
        let table = try #require(lines.firstIndex(of: "sandbox"))
        #expect(
            lines[table...] == [
                "sandbox", "  PROTECTION  ACTIVE  HOW", "  files       yes     Landlock ABI 7",
                "  network     -       network: full", "  signals     NO      it takes Linux 6.12",
            ])
    }
}
