import Foundation
import Support
import Synchronization
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

    @Test("nobody is told what is older than what anybody was told before he asked, whichever worker answers")
    func order() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let (port, progress) = (host.port, Progress())
            async let written: [Void] = onThreads(3) { writer in
                defer { progress.isOver.store(true, ordering: .relaxed) }
                let connection = try HTTPConnection(port: port)
                for _ in 0..<500 {
                    let response = try connection.request("POST", "/add?key=n\(writer)")
                    try #require(response.status == 200)
                    progress.note(Self.number(response), of: writer)
                }
            }
            async let read: [Int] = onThreads(4) { _ in
                let connection = try HTTPConnection(port: port)
                var count = 0
                while !progress.isOver.load(ordering: .relaxed) {
                    for writer in 0..<3 {
                        let least = progress.number(of: writer)
                        let number = Self.number(try connection.request("GET", "/get?key=n\(writer)"))
                        guard number >= least else { throw GoneBack(from: least, to: number) }
                        progress.note(number, of: writer)
                        count += 1
                    }
                }
                return count
            }
            _ = try await written
            let reads = try await read
            #expect(reads.allSatisfy { $0 > 0 })
        }
    }

    private static func number(_ response: HTTPConnection.Response) -> Int {
        Int(response.text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    private struct GoneBack: Error {
        var from: Int
        var to: Int
    }

    /// How far each writer is known to be.
    private final class Progress: Sendable {
        let isOver = Atomic(false)
        private let numbers = Mutex([Int](repeating: 0, count: 3))

        func number(of writer: Int) -> Int { numbers.withLock { $0[writer] } }

        func note(_ number: Int, of writer: Int) { numbers.withLock { $0[writer] = max($0[writer], number) } }
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
