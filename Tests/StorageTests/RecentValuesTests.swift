import Events
import GRDB
import Support
import Synchronization
import Testing
import Wire

@testable import Storage

@Suite("Values in memory")
struct RecentValuesTests {
    private let recent = RecentValues()

    private func read(_ key: StateKey = "a") -> [UInt8]? {
        guard case .found(let value) = recent.find(key, in: "n") else { return nil }
        return value.value
    }

    /// Where the value is missing: when that was.
    private func missing(_ key: StateKey = "a") -> Int? {
        guard case .missing(let commits) = recent.find(key, in: "n") else { return nil }
        return commits
    }

    private func entry(_ value: [UInt8]?, _ key: StateKey = "a", version: Int64 = 1) -> WrittenValues.Entry {
        WrittenValues.Entry(namespace: "n", key: key, value: value, version: version)
    }

    @Test("what was read is found from then on")
    func kept() throws {
        recent.keep(VersionedValue(value: [1], version: 1), of: "a", in: "n", missingAt: try #require(missing()))
        #expect(read() == [1])
        recent.forget(["a"], in: "n")
        #expect(read() == nil)
    }

    @Test("what was read before the end of a commit does not come in after its begin")
    func late() throws {
        let before = try #require(missing())
        try recent.committing([entry(nil)]) {
            for commits in [before, try #require(missing())] {
                recent.keep(VersionedValue(value: [1], version: 1), of: "a", in: "n", missingAt: commits)
                #expect(read() == nil)
            }
        }
        for commits in [before, before + 1] {
            recent.keep(VersionedValue(value: [1], version: 1), of: "a", in: "n", missingAt: commits)
            #expect(read() == nil)
        }
    }

    @Test("while a commit is under way nobody finds what it changes; after it all find the last value")
    func commit() {
        recent.committing([entry([1])]) {}
        #expect(read() == [1])
        recent.committing([entry([2], version: 2), entry([3], version: 3), entry([4], "b", version: 4)]) {
            #expect(read() == nil && read("b") == nil)
        }
        #expect(read() == [3] && read("b") == [4])
        recent.committing([entry([5], version: 5), entry(nil)]) {}
        #expect(read() == nil && read("b") == [4])
    }

    @Test("whoever looks while values change finds none that was overwritten in the same commit")
    func lastOfCommit() async throws {
        recent.committing([entry([0])]) {}
        let values = try #require(recent.ring(of: "n")).values
        let isOver = Flag()
        let look = Task.detached {
            var odd = 0
            while !isOver.isSet.load(ordering: .relaxed) {
                for key in ["a", "b"] {
                    if let value = values.value(of: key)?.value, value[0] % 2 == 1 { odd += 1 }
                }
            }
            return odd
        }
        for version in Int64(1)...20_000 {
            let last = UInt8(truncatingIfNeeded: version * 2)
            recent.committing([
                entry([last | 1], version: version), entry([last | 1], "b", version: version),
                entry([last], version: version), entry(nil, "b", version: version),
            ]) {}
        }
        isOver.isSet.store(true, ordering: .relaxed)
        let count = await look.value
        #expect(count == 0)
        #expect(read("b") == nil)
    }

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    @Test("after a commit that failed the database is asked, and what is found there is kept")
    func failedCommit() throws {
        recent.committing([entry([1])]) {}
        #expect(throws: StateError.self) {
            try recent.committing([entry([2], version: 2)]) { throw StateError(.invalid, "") }
        }
        #expect(read() == nil)
        recent.keep(VersionedValue(value: [1], version: 1), of: "a", in: "n", missingAt: try #require(missing()))
        #expect(read() == [1])
    }

    // MARK: In a store

    @Test("a value that was written or read a moment ago takes no statement")
    func statements() async throws {
        try await withTemporaryFolder { folder in
            let statements = Mutex(0)
            let count: @Sendable (String) -> Void = { sql in
                if sql.hasPrefix("SELECT value, version") { statements.withLock { $0 += 1 } }
            }
            var store = try Store(directory: folder, trace: count)
            try await store.put("a", "1")
            #expect(try await store.text("a") == "1" && statements.withLock { $0 } == 0)
            _ = try await store.commit(Commit(effects: .writing(["a": .increment(4)])))
            #expect(try await store.text("a") == "5" && statements.withLock { $0 } == 0)
            try store.close()
            store = try Store(directory: folder, trace: count)
            for _ in 0..<3 { #expect(try await store.text("a") == "5") }
            #expect(statements.withLock { $0 } == 1)
            _ = try await store.commit(Commit(effects: .writing(["a": .delete])))
            #expect(try await store.text("a") == nil)
            try store.close()
            #expect(throws: StorageError.self) { try store.value("a", in: "n") }
        }
    }

    @Test("what a unit has written that was undone is not seen")
    func undone() async throws {
        try await withStore { (store, _) async throws in
            try await store.put("a", "1")
            // It writes, and then fails; its neighbours stay.
            try await withThrowingTaskGroup { group in
                for number in 0..<20 {
                    group.addTask { try await store.put("b\(number)", "\(number)") }
                    group.addTask {
                        await #expect(throws: StateError.self) {
                            _ = try await store.commit(Commit(effects: .writing(["a": .set([9]), "": .set([9])])))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.text("a") == "1")
            for number in 0..<20 { #expect(try await store.text("b\(number)") == "\(number)") }
        }
    }

    @Test("a conflict with what another program has written is over with the next try")
    func otherProgram() async throws {
        try await withStore { (store, folder) async throws in
            try await store.put("a", "1")
            try await store.put("b", "1")
            let other = try DatabaseQueue(path: folder + "/apus.db")
            try await other.write { try $0.execute(sql: "UPDATE state SET value = x'37', version = version + 1") }
            #expect(try await !store.addOneByReadingAndWriting("a"))
            #expect(try await store.addOneByReadingAndWriting("a"))
            #expect(try await store.text("a") == "8")
            // Likewise where nothing is written.
            let old = try #require(try store.value("b", in: "n"))
            var effects = Effects(namespace: "n")
            effects.reads = [.init(key: "b", version: old.version)]
            #expect(try !store.isCurrent(effects))
            #expect(try await store.text("b") == "7")
        }
    }

    @Test("nobody reads what is older than what he, or somebody before him, has seen")
    func order() async throws {
        try await withStore { (store, _) async throws in
            let progress = Progress()
            try await withThrowingTaskGroup { group in
                // Also where one of them fails.
                defer { progress.isOver.store(true, ordering: .relaxed) }
                for key in Progress.keys { group.addTask { try await progress.write(key, in: store) } }
                group.addTask { try await progress.read(store) { try await store.number($0) } }
                group.addTask { try await progress.read(store) { try store.scannedNumber($0) } }
                for _ in Progress.keys { try await group.next() }
                progress.isOver.store(true, ordering: .relaxed)
                try await group.waitForAll()
            }
            for key in Progress.keys { #expect(try await store.number(key) == Progress.last) }
        }
    }
}

/// How far those have come who count in keys while others look.
private final class Progress: Sendable {
    static let keys = ["a", "b", "c"]
    static let last = 150

    let isOver = Atomic(false)
    private let acknowledged = Mutex([String: Int]())

    func write(_ key: String, in store: Store) async throws {
        for number in 1...Self.last {
            if number.isMultiple(of: 10) {
                // It writes, and then fails.
                _ = try? await store.commit(Commit(effects: .writing([StateKey(key): .set([9]), "": .set([9])])))
            }
            try await store.put(key, "\(number)")
            acknowledged.withLock { $0[key] = number }
        }
    }

    /// Looks twice, the first time with `look`.
    func read(_ store: Store, first look: (String) async throws -> Int) async throws {
        while !isOver.load(ordering: .relaxed) {
            for key in Self.keys {
                let least = acknowledged.withLock { $0[key] ?? 0 }
                let first = try await look(key)
                let second = try await store.number(key)
                #expect(least <= first && first <= second)
            }
            await Task.yield()
        }
    }
}

extension Store {
    /// 0 where there is none.
    fileprivate func number(_ key: String) async throws -> Int { try await text(key).flatMap { Int($0) } ?? 0 }

    /// The same, by a look into the database.
    fileprivate func scannedNumber(_ key: String) throws -> Int {
        try scan(prefix: key, after: nil, limit: 1, in: "n").first
            .flatMap { Int(String(decoding: $0.value, as: UTF8.self)) } ?? 0
    }
}
