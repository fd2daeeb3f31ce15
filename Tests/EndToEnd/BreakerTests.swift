import Foundation
import Support
import Testing

@Suite("A circuit breaker, from outside") struct BreakerTests {
    private static func manifest(_ handler: String, _ rest: String) -> String {
        """
        name: f
        handler: \(handler)
        triggers: [{ http: { path: /f } }]
        workers: { max: 1, breaker: { failures: 50, calls: 3, rest: \(rest) } }
        """
    }

    private static let server = """
        import http.server, os
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(500); self.send_header("Content-Length", "0"); self.end_headers()
        http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
        """

    @Test(
        "opens when a function keeps failing, as `apus list`, `apus show` and the log say, and calls are answered 503",
        arguments: ["{ command: [sh, -c, exit 1] }", "{ command: [python3, server.py], contract: http }"])
    func opens(_ handler: String) async throws {
        let manifests = ["f": Self.manifest(handler, "1h")]
        func prepare(_ folder: String) throws {
            try Self.server.write(toFile: folder + "/manifests/server.py", atomically: true, encoding: .utf8)
        }
        try await ApusHost.with(manifests, prepare: prepare) { host in
            let before = try host.cli("list").output
            #expect(!before.contains("circuit"))
            for _ in 1...3 { #expect(try host.get("/f").status == 500) }
            #expect(try host.get("/f").status == 503)
            #expect(try host.cli("list").output.contains("f (circuit open)"))
            #expect(try host.cli("show", "f").output.contains("\n  breaker    open\n"))
            let isLogged = await eventually {
                host.log.contains("circuit breaker opened: 3 of the last 3 calls failed")
            }
            #expect(isLogged)
        }
    }

    @Test("lets one call try after its rest, and closes when that succeeds")
    func closes() async throws {
        try await ApusHost.with(["f": Self.manifest("{ command: [sh, -c, test -e well] }", "1s")]) { host in
            for _ in 1...3 { #expect(try host.get("/f").status == 500) }
            #expect(try host.cli("show", "f").output.contains("\n  breaker    open\n"))
            try "".write(toFile: host.folder + "/manifests/well", atomically: true, encoding: .utf8)
            let isWell = try await eventually { try host.get("/f").status == 200 }
            #expect(isWell)
            #expect(try host.cli("list").output.contains("circuit") == false)
            for line in ["opened: 3 of the last 3", "half-open: the next call tries", "closed: a call has succeeded"] {
                let isLogged = await eventually { host.log.contains("circuit breaker " + line) }
                #expect(isLogged, "\(line)")
            }
        }
    }
}
