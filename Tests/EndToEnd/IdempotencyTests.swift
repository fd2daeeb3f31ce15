import Foundation
import Support
import Testing

@Suite("A request with an idempotency key runs once")
struct IdempotencyTests {
    private static let counter = """
        name: counter
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/{rest*}", idempotency: optional } }]
        workers: { max: 2, concurrency: 64 }
        limits: { wait: 60s, time: 60s }
        """

    private static func request(
        _ connection: HTTPConnection, key: String, path: String = "/add?key=n&ms=200"
    ) throws -> HTTPConnection.Response {
        try connection.request("POST", path, headers: [("Idempotency-Key", "\"\(key)\"")])
    }

    private static func count(_ host: ApusHost) throws -> Int {
        Int(try host.cli("state", "get", "counter", "n").output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    @Test("100 concurrent repeats apply once, and all get the answer of the first, also from the next host")
    func concurrent() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let port = host.port
            let responses = try await onThreads(100) { _ in
                try Self.request(try HTTPConnection(port: port), key: "once")
            }
            #expect(Set(responses.map(\.text)) == ["1\n"])
            #expect(responses.count { $0.headers["idempotency-replayed"] == nil } == 1)
            #expect(Set(responses.map { $0.headers["apus-invocation"] }).count == 1)
            host.kill()
            try await host.start()
            let again = try Self.request(
                try HTTPConnection(port: host.port), key: "once")
            #expect(again.text == "1\n" && again.headers["idempotency-replayed"] == "true")
            #expect(again.headers["content-type"] == responses[0].headers["content-type"])
            #expect(try Self.count(host) == 1)
        }
    }

    @Test("clients that repeat until they are answered apply each key once, however often the host is killed")
    func killed() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let (clients, each) = (8, 40)
            var answers = [String: String]()
            while answers.count < clients * each {
                let port = host.port
                let known = answers
                async let round = onThreads(clients) { client in
                    // The host dies under it: what was not answered is asked for again.
                    var answered: [String: String] = [:]
                    guard let connection = try? HTTPConnection(port: port) else { return answered }
                    for key in (0..<each).map({ "\(client)-\($0)" }) where known[key] == nil {
                        guard let response = try? Self.request(connection, key: key, path: "/increment?key=n")
                        else { break }
                        if response.status == 200 { answered[key] = response.text }
                    }
                    return answered
                }
                let target = min(try Self.count(host) + 60, clients * each)
                _ = try await eventually { try Self.count(host) >= target }
                host.kill()
                for answered in try await round { answers.merge(answered) { first, _ in first } }
                try await host.start()
            }
            #expect(try Self.count(host) == clients * each)
            // What was told before a death is told again after it.
            let connection = try HTTPConnection(port: host.port)
            for (key, answer) in answers {
                #expect(try Self.request(connection, key: key, path: "/increment?key=n").text == answer)
            }
            #expect(try Self.count(host) == clients * each)
        }
    }
}
