import Events
import Foundation
import Manifests
import Storage
import Support
import Testing
import Workers

@testable import Engine

@Suite("Functions that follow state")
struct StateTriggerTests {
    /// It follows its own keys that begin with `k`, and notes each change under `change/KEY/VERSION`.
    private func with(
        _ adjust: @escaping (inout Manifest) -> Void = { _ in }, _ body: (World) async throws -> Void
    ) async throws {
        let manifest = Manifest.contractWorker {
            $0.triggers.append(.state(StateTrigger(prefix: "k", namespace: "f")))
            adjust(&$0)
        }
        try await World.with(manifest, body)
    }

    /// What was noted, in the order of the versions.
    private func changes(_ world: World, _ key: String) async throws -> [String] {
        let entries = try world.store.scan(prefix: "change/\(key)/", after: nil, limit: 1000, in: "f")
        return entries.map {
            (Int($0.key.split(separator: "/").last ?? "") ?? 0, String(decoding: $0.value, as: UTF8.self))
        }
        .sorted { $0.0 < $1.0 }.map { String($0.1.split(separator: " ")[0]) }
    }

    private func settled(_ world: World, _ count: Int) async throws {
        try await world.wait { try await world.store.queueCounts()["f"]?.done == count }
    }

    @Test("hear of every way to commit")
    func everyWay() async throws {
        try await with { world async throws in
            try await world.dispatching {
                _ = try await world.request("set", query: "key=k1&value=a")
                _ = try await world.request("set", query: "key=other&value=a")
                _ = try await world.request("increment", query: "key=k2&by=5")
                _ = try await world.request("increment", query: "key=k2&by=2")
                _ = try await world.request("immediately", query: "key=k3")
                _ = try await world.request("delete", query: "key=k1")
                try await world.put("k4", "by hand")
                world.engine.queueChanged()
                try await settled(world, 6)
            }
            #expect(try await changes(world, "k1") == ["a", "deleted"])
            #expect(try await changes(world, "k2") == ["5", "7"])
            #expect(try await changes(world, "k3") == ["now"])
            #expect(try await changes(world, "k4") == ["by"])
            #expect(try await world.text("depth/k1") == "1")
        }
    }

    @Test("hear nothing of what failed, or of what conflicted until it was run again")
    func failures() async throws {
        try await with { world async throws in
            try await world.dispatching {
                #expect(await world.problem("set-and-fail", query: "key=k1&value=a") != nil)
                await withTaskGroup { group in
                    for _ in 0..<8 { group.addTask { _ = await world.problem("add", query: "key=k2&ms=5") } }
                }
                let sum = try #require(Int(try await world.text("k2") ?? ""))
                try await settled(world, sum)
                #expect(try await changes(world, "k2") == (1...sum).map(String.init))
            }
            #expect(try await changes(world, "k1") == [])
        }
    }

    @Test("get the changes of a key in order, also while one is tried again")
    func order() async throws {
        // Takes a change of `k1` at its second attempt, of another key at the first; notes all by appending.
        try await withTemporaryFolder { folder in
            let script = """
                case "$CE_SUBJECT.$APUS_ATTEMPT" in k1.1) exit 1;; esac
                echo "$CE_SUBJECT $CE_VERSION" >> \(folder)/seen
                """
            let manifest = Manifest.shell(script) {
                $0.triggers = [.state(StateTrigger(prefix: "k", namespace: "f"))]
                $0.sandbox.write = [folder]
                $0.retry.attempts = 3
            }
            try await World.with(manifest) { world async throws in
                for _ in 0..<5 { for key in ["k1", "k2", "k3"] { try await world.put(key, "x") } }
                try await world.dispatching { try await settled(world, 15) }
                let lines = try String(contentsOfFile: folder + "/seen", encoding: .utf8).split(separator: "\n")
                #expect(lines.count == 15)
                for key in ["k1 ", "k2 ", "k3 "] {
                    let versions = lines.filter { $0.hasPrefix(key) }.compactMap { Int($0.dropFirst(key.count)) }
                    #expect(versions.count == 5 && versions == versions.sorted())
                }
            }
        }
    }

    @Test("may follow the namespace of another function")
    func otherNamespace() async throws {
        try await with({ $0.triggers[2] = .state(StateTrigger(prefix: "", namespace: "guestbook")) }) {
            world async throws in
            var effects = Effects(namespace: "guestbook")
            effects.writes.append(Effects.KeyWrite("entry", .set(Array("hello".utf8))))
            _ = try await world.store.commit(Commit(effects: effects))
            try await world.dispatching { try await settled(world, 1) }
            #expect(try await changes(world, "entry") == ["hello"])
        }
    }

    @Test("that write what they follow end as a dead letter after sixteen, and the last write is not applied")
    func loop() async throws {
        try await with { world async throws in
            try await world.put("k1", "again k1")
            let first = try #require(try world.store.value("k1", in: "f")?.version)
            try await world.dispatching {
                try await world.wait { try await world.store.queueCounts()["f"]?.dead == 1 }
            }
            #expect(try await world.store.queueCounts()["f"]?.done == 15)
            #expect(try await world.text("depth/k1") == "15")
            let last = try #require(try world.store.value("k1", in: "f")?.version)
            #expect(try await changes(world, "k1").count == 15 && last > first)
            let record = try #require(try await world.store.recent(function: "f", state: .dead, limit: 1).first)
            #expect(record.attempt == 1 && record.reason?.contains("chain of 16 events") == true)
        }
    }

    @Test("that do not follow any more are told nothing")
    func unfollowed() async throws {
        try await with { world async throws in
            var manifest = world.function.manifest
            manifest.triggers.removeLast()
            world.engine.replace(functions: [HostedFunction(manifest: manifest, pool: world.function.pool) {}])
            try await world.put("k1", "a")
            #expect(try await world.store.queueCounts().isEmpty)
        }
    }
}
