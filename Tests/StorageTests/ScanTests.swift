import Events
import Storage
import Testing

@Suite("Scans")
struct ScanTests {
    private static let keys = [
        "a", "a/1", "a/2", "a/é", "a/\u{10FFFF}", "a/\u{10FFFF}x", "a0", "b", "\u{FF}", "\u{7F}",
    ]

    @Test(
        "a prefix finds its keys and no other, in byte order",
        arguments: ["", "a", "a/", "a/\u{10FFFF}", "z", "\u{7F}"])
    func prefixes(_ prefix: String) async throws {
        try await withStore { (store, _) async throws in
            for key in Self.keys { try await store.put(key, "v") }
            let expected = Self.keys.filter { $0.utf8.starts(with: prefix.utf8) }.sorted {
                $0.utf8.lexicographicallyPrecedes($1.utf8)
            }
            let found = try store.scan(prefix: prefix, after: nil, limit: 100, in: "n")
            #expect(found.map(\.key) == expected)
            #expect(found.allSatisfy { $0.value == [UInt8(ascii: "v")] && $0.version > 0 })
        }
    }

    @Test("pages follow one another without gap or repetition")
    func pages() async throws {
        try await withStore { (store, _) async throws in
            for index in 100..<200 { try await store.put("k\(index)", "") }
            try await store.put("l", "")
            var found: [String] = []
            while true {
                let page = try store.scan(prefix: "k", after: found.last, limit: 7, in: "n")
                if page.isEmpty { break }
                found += page.map(\.key)
            }
            #expect(found == (100..<200).map { "k\($0)" })
        }
    }

    @Test("a scan ends with the entry that passes its bytes")
    func bytes() async throws {
        try await withStore { (store, _) async throws in
            for index in 0..<9 { try await store.put("k\(index)", String(repeating: "v", count: 98)) }
            for (bytes, count) in [(0, 1), (99, 1), (100, 2), (250, 3), (899, 9), (900, 9)] {
                let found = try store.scan(prefix: "k", after: nil, limit: 20, bytes: bytes, in: "n")
                #expect(found.count == count, "\(bytes)")
            }
        }
    }

    @Test("`after` before the prefix skips nothing, and after it all")
    func afterOutside() async throws {
        try await withStore { (store, _) async throws in
            try await store.put("k", "")
            #expect(try store.scan(prefix: "k", after: "a", limit: 9, in: "n").count == 1)
            #expect(try store.scan(prefix: "k", after: "k", limit: 9, in: "n").count == 0)
            #expect(try store.scan(prefix: "k", after: "z", limit: 9, in: "n").count == 0)
            #expect(try store.scan(prefix: "k", after: nil, limit: 0, in: "n").count == 0)
        }
    }

    /// What may happen under a scan of `k/`, and whether that is a conflict.
    enum Change: CaseIterable {
        case appears, vanishes, changes, elsewhere, behindLimit

        var effects: Effects {
            switch self {
            case .appears: .writing(["k/15": .set([])])
            case .vanishes: .writing(["k/1": .delete])
            case .changes: .writing(["k/2": .set([9])])
            case .elsewhere: .writing(["l": .set([9])])
            case .behindLimit: .writing(["k/9": .set([9])])
            }
        }

        var conflicts: Bool { self != .elsewhere && self != .behindLimit }
    }

    @Test("a key that appears, vanishes or changes under a scan is a conflict", arguments: Change.allCases)
    func phantoms(_ change: Change) async throws {
        try await withStore { (store, _) async throws in
            for key in ["k/1", "k/2", "k/3", "k/4"] { try await store.put(key, "v") }
            let seen = try store.scan(prefix: "k/", after: nil, limit: 3, in: "n")
            var effects = Effects.writing(["sum": .set([3])])
            effects.scans = [
                Effects.Scan(
                    prefix: "k/", after: nil, limit: 3,
                    seen: seen.map { .init(key: StateKey($0.key), version: $0.version) })
            ]
            #expect(try store.isCurrent(effects))
            _ = try await store.commit(Commit(effects: change.effects))
            #expect(try store.isCurrent(effects) == !change.conflicts)
            #expect(try await store.commit(Commit(effects: effects)) == (change.conflicts ? .conflicted : .committed))
        }
    }
}
