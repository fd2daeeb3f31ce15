import Foundation
import GRDBSQLite
import Support
import Testing

@Suite("A host under a service manager")
struct RestartTests {
    private static let worker = """
        name: worker
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/{rest*}" } }]
        """

    @Test("restarts on a passed socket: clients that never pause see no refusal and lose no request")
    func restart() async throws {
        let port = try ListeningPort()
        try await ApusHost.with(["worker": Self.worker], sockets: [("apus.socket", port)]) { host in
            #expect(host.port == port.port)
            let load = Load(port: port.port, path: "/pid")
            let counts = try await load.run(keeping: 4, connecting: 4) {
                for _ in 0..<3 {
                    let before = load.answers
                    #expect(await eventually { load.answers > before + 100 })
                    #expect(host.terminate() == 0)
                    try await host.start()
                }
            }
            print("3 restarts, \(counts.answers) answers on \(counts.connections) connections")
            #expect(counts.failed == 0, "\(counts.failures)")
            #expect(counts.bodies.count > 3)
        }
    }

    @Test("a passed socket named admin serves the admin API, before and after a restart")
    func adminSocket() async throws {
        let (functions, admin) = (try ListeningPort(), try ListeningPort())
        try await ApusHost.with(["worker": Self.worker], sockets: [("listen", functions), ("admin", admin)]) { host in
            for _ in 0..<2 {
                #expect(host.adminPort == admin.port)
                #expect(host.port == functions.port)
                #expect(try host.cli("list").output.contains("worker"))
                // One that stays open must not hold up the end.
                let kept = try HTTPConnection(port: admin.port)
                #expect(try kept.request("GET", "/healthz").text == "ok\n")
                #expect(host.terminate() == 0)
                // Asked while there is no host: it waits for the next one.
                let early = try HTTPConnection(port: admin.port)
                try early.send(Array("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                try await host.start()
                #expect(try early.readResponse().text == "ok\n")
            }
        }
    }

    @Test("says to a socket that it is ready, reloads, is alive and stops; its workers know nothing of it")
    func notices() async throws {
        try await withTemporaryFolder { folder in
            let manager = try DatagramReceiver(path: folder + "/notify")
            let environment = ["NOTIFY_SOCKET": folder + "/notify", "WATCHDOG_USEC": "2000000"]
            try await ApusHost.with(["worker": Self.worker], environment: environment) { host in
                #expect(manager.next() == "READY=1\nSTATUS=serves 1 function on http://127.0.0.1:\(host.port)")
                #expect(manager.next() == "WATCHDOG=1")
                for name in environment.keys { #expect(try host.get("/environment?name=\(name)").status == 404) }
                host.signal(SIGHUP)
                #expect(manager.next(with: "RELOADING=1")?.contains("\nMONOTONIC_USEC=") == true)
                #expect(manager.next(with: "READY=1") != nil)
                try host.write(manifest: "worker", Self.worker + "\nnosuch: 1")
                #expect(try host.cli("reload").status == 78)
                #expect(manager.next(with: "READY=1")?.contains("STATUS=not reloaded: ") == true)
                #expect(host.terminate() == 0)
                #expect(manager.next(with: "STOPPING=1") != nil)
                #expect(manager.next(within: 100) == nil)
            }
        }
    }

    @Test("gives the watchdog no sign while the writer hangs, and goes on when it works again")
    func blockedWriter() async throws {
        try await withTemporaryFolder { folder in
            let manager = try DatagramReceiver(path: folder + "/notify")
            let environment = ["NOTIFY_SOCKET": folder + "/notify", "WATCHDOG_USEC": "1000000"]
            try await ApusHost.with(["worker": Self.worker], environment: environment) { host in
                #expect(manager.next(with: "WATCHDOG=1") != nil)
                try Self.locking(host.data + "/apus.db") {
                    #expect(manager.next(with: "STATUS=") == "STATUS=no answer from writer")
                    // For longer than the time after which systemd would have ended the host.
                    #expect(manager.next(within: 1500) == nil)
                }
                #expect(manager.next(with: "WATCHDOG=1")?.contains("STATUS=serves 1 function") == true)
                #expect(host.log.contains("no answer from writer"))
            }
        }
    }

    /// Holds the lock for writing, as a program does that has begun a transaction and stopped.
    private static func locking(_ path: String, _ body: () throws -> Void) throws {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        try #require(sqlite3_open(path, &database) == SQLITE_OK)
        // The writer may be at it.
        sqlite3_busy_timeout(database, 30_000)
        try #require(sqlite3_exec(database, "BEGIN IMMEDIATE", nil, nil, nil) == SQLITE_OK)
        try body()
        try #require(sqlite3_exec(database, "ROLLBACK", nil, nil, nil) == SQLITE_OK)
    }

    @Test("a socket that is passed under an unknown name keeps the host from starting, and it says why")
    func unknownName() async throws {
        let port = try ListeningPort()
        let error = await #expect(throws: (any Error).self) {
            try await ApusHost.with(["worker": Self.worker], sockets: [("amdin", port)]) { _ in }
        }
        #expect("\(error, default: "")".contains("a socket named 'amdin' was passed"))
    }

    @Test("a host that drains is not ready, and says so")
    func readiness() async throws {
        try await ApusHost.with(["worker": Self.worker]) { host in
            let port = host.port
            async let answers = onThreads(1) { _ in try HTTPConnection(port: port).request("GET", "/sleep?ms=1500") }
            let isRunning = try await eventually { try host.function("worker").running == 1 }
            #expect(isRunning)
            host.signal(SIGTERM)
            let isTold = try await eventually {
                let answer = try HTTPConnection(port: host.adminPort).request("GET", "/readyz")
                return answer.status == 503 && answer.text.contains("the host is stopping")
            }
            #expect(isTold)
            #expect(try await answers[0].status == 200)
            #expect(host.wait() == 0)
        }
    }
}
