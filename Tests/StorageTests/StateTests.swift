import Events
import Storage
import Support
import Synchronization
import Testing

@Suite("State")
struct StateTests {
    @Test("a value comes back with a version that grows with each change")
    func versions() async throws {
        try await withStore { (store, _) async throws in
            #expect(try store.value("a", in: "n") == nil)
            try await store.put("a", "1")
            let first = try #require(try store.value("a", in: "n"))
            try await store.put("b", "other")
            try await store.put("a", "2")
            let second = try #require(try store.value("a", in: "n"))
            #expect(first.value == Array("1".utf8) && second.value == Array("2".utf8))
            #expect(0 < first.version && first.version < second.version)
        }
    }

    @Test("versions go on growing after a restart and after a key was deleted")
    func versionsSurvive() async throws {
        try await withStore { (store, folder) async throws in
            try await store.put("a", "1")
            let before = try #require(try store.value("a", in: "n")).version
            _ = try await store.commit(Commit(effects: .writing(["a": .delete])))
            #expect(try store.value("a", in: "n") == nil)
            try store.close()
            try await reopening(folder) { (store) async throws in
                try await store.put("a", "2")
                #expect(try #require(try store.value("a", in: "n")).version > before)
            }
        }
    }

    @Test("few transactions write down how far versions have come, and one that is undone takes none back")
    func versionsAreReserved() async throws {
        try await withTemporaryFolder { folder in
            let written = Mutex(0)
            let store = try Store(
                directory: folder,
                trace: { sql in if sql.hasPrefix("UPDATE counter") { written.withLock { $0 += 1 } } })
            var last: Int64 = 0
            for number in 1...30 {
                try await store.put("a", "1")
                // It writes, and then fails.
                await #expect(throws: StateError.self) {
                    _ = try await store.commit(Commit(effects: .writing(["a": .set([1]), "": .set([2])])))
                }
                let version = try #require(try store.value("a", in: "n")).version
                #expect(version > last, "commit \(number)")
                last = version
            }
            // A transaction that is undone forgets what it knew of the row.
            #expect((1...2).contains(written.withLock { $0 }))
            try store.close()
        }
    }

    @Test("empty values, NUL bytes and any bytes are kept as they are")
    func bytes() async throws {
        try await withStore { (store, _) async throws in
            let values: [[UInt8]] = [[], [0], [0, 1, 0], Array(0...255), [UInt8](repeating: 7, count: 1 << 20)]
            for (index, value) in values.enumerated() {
                let key = "k\0\(index)"
                _ = try await store.commit(Commit(effects: .writing([StateKey(key): .set(value)])))
                #expect(try store.value(key, in: "n")?.value == value)
            }
            #expect(try store.value("k", in: "n") == nil)
            #expect(try store.scan(prefix: "k\0", after: nil, limit: 10, in: "n").count == values.count)
        }
    }

    @Test("an empty key is refused and nothing beside it is applied")
    func emptyKey() async throws {
        try await withStore { (store, _) async throws in
            await #expect(throws: StateError.self) {
                try await store.commit(Commit(effects: .writing(["a": .set([1]), "": .set([1])])))
            }
            #expect(try store.value("a", in: "n") == nil)
        }
    }

    @Test("namespaces keep their keys apart and are listed")
    func namespaces() async throws {
        try await withStore { (store, _) async throws in
            #expect(try await store.namespaces() == [])
            try await store.put("k", "1", in: "b")
            try await store.put("k", "2", in: "a")
            try await store.put("l", "3", in: "a")
            #expect(try await store.text("k", in: "b") == "1")
            #expect(try await store.text("k", in: "a") == "2")
            #expect(try await store.namespaces() == ["a", "b"])
        }
    }

    @Test("a stale read is a conflict and nothing is applied")
    func staleRead() async throws {
        try await withStore { (store, _) async throws in
            try await store.put("a", "1")
            let seen = try #require(try store.value("a", in: "n")).version
            try await store.put("a", "2")
            var effects = Effects.writing(["a": .set([9]), "b": .set([9])])
            effects.reads = [.init(key: "a", version: seen)]
            #expect(try store.isCurrent(effects) == false)
            #expect(try await store.commit(Commit(effects: effects)) == .conflicted)
            #expect(try await store.text("a") == "2")
            #expect(try await store.text("b") == nil)
        }
    }

    @Test("a key that was absent and appears is a conflict")
    func absentRead() async throws {
        try await withStore { (store, _) async throws in
            var effects = Effects.writing(["b": .set([1])])
            effects.reads = [.init(key: "a", version: 0)]
            #expect(try store.isCurrent(effects))
            #expect(try await store.commit(Commit(effects: effects)) == .committed)
            try await store.put("a", "1")
            #expect(try await store.commit(Commit(effects: effects)) == .conflicted)
        }
    }

    @Test("canonically equivalent keys are two keys")
    func equivalentKeys() async throws {
        try await withStore { (store, _) async throws in
            let (composed, decomposed) = ("\u{E9}", "e\u{301}")
            let both = Effects.writing([StateKey(composed): .set([1]), StateKey(decomposed): .set([2])])
            #expect(try await store.commit(Commit(effects: both)) == .committed)
            #expect(try store.value(composed, in: "n")?.value == [1])
            #expect(try store.value(decomposed, in: "n")?.value == [2])
            let found = try store.scan(prefix: "", after: nil, limit: 9, in: "n")
            #expect(found.map(\.value) == [[2], [1]])
            var effects = Effects.writing(["sum": .set([3])])
            effects.reads = [
                .init(key: StateKey(composed), version: found[1].version),
                .init(key: StateKey(decomposed), version: found[0].version),
            ]
            try await store.put(decomposed, "other")
            #expect(try await store.commit(Commit(effects: effects)) == .conflicted)
        }
    }

    @Test("concurrent read and write of one counter ends exact")
    func serializable() async throws {
        try await withStore { (store, _) async throws in
            try await withThrowingTaskGroup { group in
                for _ in 0..<16 {
                    group.addTask {
                        for _ in 0..<25 { while try await !store.addOneByReadingAndWriting("counter") {} }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.text("counter") == "400")
        }
    }

    @Test("two that read what the other writes do not both commit")
    func writeSkew() async throws {
        try await withStore { (store, _) async throws in
            try await store.put("x", "1")
            try await store.put("y", "1")
            let reads = try ["x", "y"].map { key in
                let value = try store.value(key, in: "n")
                return Effects.Seen(key: StateKey(key), version: try #require(value).version)
            }
            var first = Effects.writing(["x": .set([0])])
            var second = Effects.writing(["y": .set([0])])
            first.reads = reads
            second.reads = reads
            async let one = store.commit(Commit(effects: first))
            async let other = store.commit(Commit(effects: second))
            #expect(Set(try await [one, other]) == [.committed, .conflicted])
        }
    }
}

extension Store {
    /// Whether it went without a conflict.
    func addOneByReadingAndWriting(_ key: String) async throws -> Bool {
        let seen = try value(key, in: "n")
        let number = seen.flatMap { Int(String(decoding: $0.value, as: UTF8.self)) } ?? 0
        var effects = Effects.writing([StateKey(key): .set(Array(String(number + 1).utf8))])
        effects.reads = [.init(key: StateKey(key), version: seen?.version ?? 0)]
        return try await commit(Commit(effects: effects)) == .committed
    }
}
