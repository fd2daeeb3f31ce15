import Foundation
import Support
import Testing

@Suite("Functions follow state")
struct StateTriggerTests {
    private static let contract = "handler: { command: [\(ApusHost.build)/ContractWorker], contract: apus }"

    /// One function writes where it is told to, another notes each change, and whether it is the next one of its key.
    private static let pair = [
        "writer": """
        name: writer
        \(contract)
        triggers: [{ http: { path: "/{rest*}" } }]
        workers: { max: 2, concurrency: 16 }
        """,
        "follower": """
        name: follower
        \(contract)
        triggers: [{ state: { namespace: writer, prefix: k } }]
        workers: { max: 2, concurrency: 4 }
        retry: { attempts: 20, first: 10ms, longest: 100ms }
        """,
    ]

    private static func number(_ host: ApusHost, _ namespace: String, _ key: String) throws -> Int {
        let found = try host.cli("state", "get", namespace, key)
        return found.status == 0 ? Int(found.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 : 0
    }

    @Test("what the command line writes and deletes is delivered, as CloudEvents to any program")
    func shell() async throws {
        try await withTemporaryFolder { folder in
            let manifest = """
                name: recorder
                handler: { command: [sh, -c, 'cat >> \(folder)/seen'], contract: stdio }
                triggers: [{ state: { namespace: shop, prefix: "order/" } }]
                sandbox: { write: [\(folder)] }
                """
            try await ApusHost.with(["recorder": manifest]) { host in
                #expect(try host.cli("state", "put", "shop", "order/7", "{\"n\": 1}").status == 0)
                #expect(try host.cli("state", "put", "shop", "item/7", "no").status == 0)
                #expect(try host.cli("state", "delete", "shop", "order/7").status == 0)
                let byHand = try host.cli(
                    "invoke", "recorder", "--trigger", "state", "--subject", "order/8", "--data", "x")
                #expect(byHand.status == 0, "\(byHand.error)")
                let isDone = try await eventually { try host.function("recorder").queue.done == 2 }
                #expect(isDone)
                let text = try String(contentsOfFile: folder + "/seen", encoding: .utf8)
                let events = try text.split(separator: "\n").map {
                    try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: String])
                }
                #expect(events.count == 3)
                let set = try #require(events.first { $0["data"] == "{\"n\": 1}" })
                #expect(set["type"] == "apus.state.set" && set["source"] == "/state/shop" && set["apusdepth"] == "1")
                #expect(set["subject"] == "order/7" && set["id"] == "order/7@\(set["version"] ?? "")")
                let deleted = try #require(events.first { $0["type"] == "apus.state.deleted" })
                #expect(deleted["previous"] == set["version"] && deleted["data"] == nil)
                #expect(events.contains { $0["subject"] == "order/8" && $0["version"] == "0" })
                #expect(try host.cli("show", "recorder").output.contains("state shop order/*"))
                let refused = try host.cli("invoke", "recorder", "--trigger", "state", "--subject", "item/1")
                #expect(refused.status != 0 && refused.error.contains("what the function follows: 'order/'"))
            }
        }
    }

    @Test("a loop of writes ends as a dead letter after sixteen")
    func loop() async throws {
        let manifest = """
            name: echo
            \(Self.contract)
            triggers: [{ http: { path: "/{rest*}" } }, { state: { prefix: k } }]
            """
        try await ApusHost.with(["echo": manifest]) { host in
            #expect(try host.post("/set?key=k&value=again%20k").status == 200)
            let isDead = try await eventually { try host.function("echo").queue.dead == 1 }
            #expect(isDead)
            #expect(try host.function("echo").queue.done == 15)
            #expect(try Self.number(host, "echo", "changes") == 15)
        }
    }

    @Test("each change is delivered once, in the order of its key, though workers and the host are killed")
    func killed() async throws {
        try await ApusHost.with(Self.pair) { host in
            var answered = 0
            for _ in 0..<2 {
                let before = try host.function("follower").queue.done
                let port = host.port
                async let writing = onThreads(8) { thread in
                    // The host dies under it: what was answered until then counts.
                    var succeeded = 0
                    guard let connection = try? HTTPConnection(port: port) else { return succeeded }
                    for number in 0..<400 {
                        let key = "k\((thread + number) % 5)"
                        guard let response = try? connection.request("POST", "/increment?key=\(key)") else { break }
                        if response.status == 200 { succeeded += 1 }
                    }
                    return succeeded
                }
                let isUnderway = try await eventually { try host.function("follower").queue.done >= before + 40 }
                #expect(isUnderway)
                if let pid = try host.function("follower").pool.workers.first?.pid { Glibc.kill(pid, SIGKILL) }
                let goesOn = try await eventually { try host.function("follower").queue.done >= before + 120 }
                #expect(goesOn)
                host.kill()
                answered += try await writing.reduce(0, +)
                try await host.start()
            }
            let isQuiet = try await eventually(within: .seconds(60)) {
                let queue = try host.function("follower").queue
                return queue.waiting == 0 && queue.running == 0
            }
            #expect(isQuiet)
            let queue = try host.function("follower").queue
            let written = try (0..<5).reduce(0) { $0 + (try Self.number(host, "writer", "k\($1)")) }
            #expect(written >= answered && answered > 0)
            #expect(queue.done == written && queue.dead == 0)
            #expect(try Self.number(host, "follower", "changes") == written)
            #expect(try Self.number(host, "follower", "gaps") == 0)
        }
    }
}
