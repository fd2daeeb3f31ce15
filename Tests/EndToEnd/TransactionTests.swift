import Foundation
import Support
import Testing

@Suite("An invocation is a transaction")
struct TransactionTests {
    /// Reads the counter, adds one and writes it: get and set, so that every race is a conflict.
    private static let counter = """
        name: counter
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/{rest*}" } }]
        workers: { max: 4, concurrency: 16 }
        """

    private static func count(_ host: ApusHost) throws -> Int {
        let value = try host.cli("state", "get", "counter", "n").output.trimmingCharacters(in: .whitespacesAndNewlines)
        return Int(value) ?? 0
    }

    @Test("5,000 concurrent read-add-writes leave exactly the number of successes in the counter")
    func lostUpdates() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let port = host.port
            let statuses = try await onThreads(50) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<100).map { _ in try connection.request("POST", "/add?key=n").status }
            }.flatMap { $0 }
            let succeeded = statuses.count { $0 == 200 }
            #expect(succeeded > 0)
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 409 })
            #expect(try Self.count(host) == succeeded)
        }
    }

    @Test("a killed worker costs its call, nothing of which is applied; the next call succeeds")
    func workerKilled() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let port = host.port
            async let response = onThreads(1) { _ in
                try HTTPConnection(port: port).request("POST", "/add?key=n&ms=60000")
            }
            var worker: ApusHost.Function.Pool.Worker?
            let isRunning = try await eventually {
                worker = try host.function("counter").pool.workers.first { $0.state == "busy" }
                return worker != nil
            }
            #expect(isRunning)
            let pid = try #require(worker?.pid)
            #expect(kill(pid, SIGKILL) == 0)
            let answer = try #require(try await response.first)
            #expect(answer.status == 502)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.text.contains("worker-died"))
            #expect(try Self.count(host) == 0)
            #expect(try host.post("/add?key=n").status == 200)
            #expect(try Self.count(host) == 1)
        }
    }

    @Test("a host that is killed has lost nothing that it answered")
    func hostKilled() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let port = host.port
            let clients = 16
            async let answered = onThreads(clients) { _ in
                // The host dies under it: what was answered until then counts.
                var succeeded = 0
                guard let connection = try? HTTPConnection(port: port) else { return 0 }
                for _ in 0..<1000 {
                    guard let response = try? connection.request("POST", "/add?key=n") else { break }
                    if response.status == 200 { succeeded += 1 }
                }
                return succeeded
            }
            let isUnderway = try await eventually { try Self.count(host) >= 100 }
            #expect(isUnderway)
            host.kill()
            let succeeded = try await answered.reduce(0, +)
            try await host.start()
            let counted = try Self.count(host)
            #expect(counted >= succeeded)
            #expect(counted <= succeeded + clients)
        }
    }
}
