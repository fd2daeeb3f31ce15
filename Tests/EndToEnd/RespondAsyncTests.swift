import Foundation
import Support
import Testing

@Suite("Prefer: respond-async")
struct RespondAsyncTests {
    private static let counter = """
        name: counter
        handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }
        triggers: [{ http: { path: "/{rest*}", idempotency: optional } }]
        workers: { max: 2, concurrency: 16 }
        """

    private struct Document: Decodable {
        struct Result: Decodable {
            var status: Int
            var text: String?
            var location: String
        }
        var id: String
        var state: String
        var attempts: Int
        var outcome: String?
        var result: Result?
    }

    private static func post(
        _ connection: HTTPConnection, _ path: String, _ more: [(String, String)] = []
    ) throws -> HTTPConnection.Response {
        try connection.request("POST", path, headers: [("Prefer", "respond-async")] + more)
    }

    private static func document(_ host: ApusHost, _ path: String, method: String = "GET") throws -> Document {
        try JSONDecoder().decode(Document.self, from: Data(try host.connect().request(method, path).body))
    }

    private static func count(_ host: ApusHost) throws -> Int {
        Int(try host.cli("state", "get", "counter", "n").output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    @Test("a request is answered 202 at once, and its invocation tells its end and its response")
    func status() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let accepted = try Self.post(try host.connect(), "/increment?key=n&by=5")
            #expect(accepted.status == 202)
            let location = try #require(accepted.headers["location"])
            #expect(location == "/_apus/invocations/" + (accepted.headers["apus-invocation"] ?? ""))
            let hasEnded = try await eventually { try Self.document(host, location).state == "done" }
            #expect(hasEnded)
            let end = try Self.document(host, location)
            #expect(end.outcome == "succeeded" && end.attempts == 1)
            #expect(end.result?.status == 200 && end.result?.text == "5\n")
            let result = try host.get(try #require(end.result?.location))
            #expect(result.status == 200 && result.text == "5\n")
            #expect(try Self.count(host) == 5)
            let waited = try host.connect().request(
                "POST", "/increment?key=n", headers: [("Prefer", "respond-async, wait=60")])
            #expect(waited.status == 200 && waited.text == "6\n")
        }
    }

    @Test("a request for later can be cancelled, and then never runs")
    func cancelled() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let accepted = try Self.post(try host.connect(), "/increment?key=n", [("Apus-After", "1h")])
            let location = try #require(accepted.headers["location"])
            #expect(try Self.document(host, location).state == "waiting")
            for _ in 0..<2 {
                #expect(try Self.document(host, location, method: "DELETE").outcome == "cancelled")
            }
            let again = try host.cli("cancel", try #require(accepted.headers["apus-invocation"]))
            #expect(again.status == 0 && again.output == "it was cancelled before\n")
            #expect(try host.get(location + "/result").status == 410)
            host.kill()
            try await host.start()
            #expect(try Self.document(host, location).outcome == "cancelled")
            #expect(try host.get("/_apus/invocations/01890000-0000-7000-8000-000000000000").status == 404)
        }
    }

    @Test("what was answered 202 runs once, however often the host is killed")
    func killed() async throws {
        try await ApusHost.with(["counter": Self.counter]) { host in
            let (clients, each) = (8, 40)
            var accepted = [String: String]()
            while accepted.count < clients * each {
                let (port, known) = (host.port, accepted)
                async let round = onThreads(clients) { client in
                    var locations: [String: String] = [:]
                    guard let connection = try? HTTPConnection(port: port) else { return locations }
                    for key in (0..<each).map({ "\(client)-\($0)" }) where known[key] == nil {
                        // The host dies under it: what was not accepted is sent again, with the same key.
                        let key = ("Idempotency-Key", key)
                        guard let response = try? Self.post(connection, "/increment?key=n", [key]) else { break }
                        if response.status == 202 { locations[key.1] = response.headers["location"] }
                    }
                    return locations
                }
                let target = min(try Self.count(host) + 60, clients * each)
                _ = try await eventually { try Self.count(host) >= target }
                host.kill()
                for locations in try await round { accepted.merge(locations) { first, _ in first } }
                try await host.start()
            }
            let hasEnded = try await eventually {
                let queue = try host.function("counter").queue
                return queue.waiting + queue.running == 0
            }
            #expect(hasEnded)
            #expect(Set(accepted.values).count == clients * each)
            for location in accepted.values { #expect(try Self.document(host, location).outcome == "succeeded") }
            #expect(try Self.count(host) == clients * each)
        }
    }
}
