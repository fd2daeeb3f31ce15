import Events
import Foundation
import GRDB
import Storage
import Support
import Synchronization
import Testing

@Suite("A store that fails")
struct HealthTests {
    @Test("probes soon, then less often, and never where the file is damaged")
    func schedule() {
        var schedule = ProbeSchedule(after: StorageError(.full, ""))
        var waits: [Duration] = []
        for _ in 0..<8 {
            if let wait = schedule.wait { waits.append(wait) }
            schedule.failed(with: StorageError(.disk, ""))
        }
        #expect(waits.first == .milliseconds(100))
        #expect(waits == waits.sorted() && waits.last == .seconds(2))
        schedule.failed(with: StorageError(.damaged, ""))
        #expect(schedule.wait == nil)
    }

    @Test("one unit that finds no room does not harm those that share its transaction")
    func neighbours() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder, pragmas: ["max_page_count = 100"])
            let large = Effects.writing(["large": .set([UInt8](repeating: 1, count: 1 << 20))])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask { _ = try await store.commit(Commit(effects: .writing(["n": .increment(1)]))) }
                    group.addTask {
                        let error = await #expect(throws: StorageError.self) {
                            try await store.commit(Commit(effects: large))
                        }
                        #expect(error?.code == .full && error?.mayBeApplied == false)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.text("n") == "50")
            #expect(store.health.error == nil)
            try store.close()
        }
    }

    @Test("takes no change once a reader has found damage, and says so")
    func damage() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder, pragmas: ["wal_autocheckpoint = 1"])
            for index in 0..<300 { try await store.put("k\(index)", String(repeating: "v", count: 1000)) }
            let heard = Mutex<StorageError.Code?>(nil)
            store.onHealthChange { health in heard.withLock { $0 = health.error?.code } }
            try overwritePages(of: folder)
            let isFound = await eventually {
                _ = try? store.scan(prefix: "", after: nil, limit: 999, in: "n")
                return store.health.error?.code == .damaged
            }
            #expect(isFound)
            #expect(heard.withLock { $0 } == .damaged)
            let error = await #expect(throws: StorageError.self) { try await store.put("k", "v") }
            #expect(error?.code == .damaged)
            #expect(error?.message.contains("apus restore") == true)
            try? store.close()
        }
    }

    @Test("tries to write again after a failure, but no more once a reader has found damage")
    func damageMeanwhile() async throws {
        try await withTemporaryFolder { folder in
            let damaged = try await LockedStore(folder + "/damaged")
            try overwritePages(of: folder + "/damaged")
            let isFound = await eventually {
                _ = try? damaged.store.scan(prefix: "", after: nil, limit: 999, in: "n")
                return damaged.store.health.error?.code == .damaged
            }
            #expect(isFound)
            let tries = damaged.tries
            // It fails later, so that what it does the first would have done before.
            let other = try await LockedStore(folder + "/other")
            let before = other.tries
            #expect(await eventually { other.tries >= before + 3 })
            // One may have been under way.
            #expect(damaged.tries <= tries + 1)
            try damaged.close()
            try other.close()
        }
    }

    /// All but the first.
    private func overwritePages(of folder: String) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder + "/apus.db"))
        let end = try file.seekToEnd()
        try file.seek(toOffset: 4096)
        try file.write(contentsOf: Data(repeating: 0x55, count: Int(end) - 4096))
        try file.close()
    }
}

/// A store that has failed to write, since another connection has the lock for it, and goes on trying.
private struct LockedStore: Sendable {
    private final class Tries: Sendable {
        let count = Mutex(0)
    }

    let store: Store
    private let holder: DatabaseQueue
    private let begun: Tries

    var tries: Int { begun.count.withLock { $0 } }

    init(_ folder: String) async throws {
        let begun = Tries()
        // What is committed is in the file at once, and nobody waits for the lock.
        let store = try Store(
            directory: folder, pragmas: ["wal_autocheckpoint = 1", "busy_timeout = 0"],
            trace: { sql in if sql == "BEGIN IMMEDIATE" { begun.count.withLock { $0 += 1 } } })
        let value = Effects.Write.set([UInt8](repeating: 1, count: 1000))
        let writes = Dictionary(uniqueKeysWithValues: (0..<300).map { (StateKey("k\($0)"), value) })
        _ = try await store.commit(Commit(effects: .writing(writes)))
        var configuration = GRDB.Configuration()
        // The transaction outlasts the call that begins it.
        configuration.allowsUnsafeTransactions = true
        let holder = try DatabaseQueue(path: folder + "/apus.db", configuration: configuration)
        try await holder.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        await #expect(throws: StorageError.self) { try await store.put("k", "v") }
        (self.store, self.holder, self.begun) = (store, holder, begun)
    }

    func close() throws {
        try holder.close()
        try? store.close()
    }
}
