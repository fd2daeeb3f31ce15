import Events
import Foundation
import GRDB
import Storage
import Support
import Synchronization
import Testing

@Suite("Retention")
struct RetentionTests {
    @Test("what has ended goes when its time is over, each kind by its own")
    func ages() async throws {
        try await withClock { (store, clock) async throws in
            _ = try await store.enqueue(["done", "dead"].map { .sample($0) })
            _ = try await store.runOne("f", .done(result: InvocationResult(status: 200, body: [1, 2])))
            _ = try await store.runOne("f", .dead(outcome: .failed, reason: ""))
            var retention = Retention()
            retention.done = .seconds(100)
            retention.dead = .seconds(1000)
            clock.pass(.seconds(100))
            #expect(try await store.prune(retention, now: clock.now) == Pruned())
            clock.pass(.seconds(1))
            #expect(try await store.prune(retention, now: clock.now) == Pruned(done: 1))
            clock.pass(.seconds(1000))
            #expect(try await store.prune(retention, now: clock.now) == Pruned(dead: 1))
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.done == 2 && counts.dead == 0 && counts.enqueued == 2)
        }
    }

    @Test("a result goes before its invocation where its own time is over")
    func results() async throws {
        try await withClock { (store, clock) async throws in
            let new = NewInvocation.sample("1")
            _ = try await store.enqueue([new])
            _ = try await store.runOne("f", .done(result: InvocationResult(body: [1])))
            clock.pass(.seconds(90_000))
            var retention = Retention()
            retention.done = .seconds(1_000_000)
            #expect(try await store.prune(retention, now: clock.now) == Pruned(results: 1))
            #expect(try await store.result(of: new.id) == nil)
            #expect(try await store.record(of: new.id)?.state == .done)
        }
    }

    @Test("past a bound the oldest go, of the function that has the most")
    func bounds() async throws {
        try await withClock { (store, clock) async throws in
            for number in 0..<9 {
                clock.pass(.seconds(1))
                let function = number < 7 ? "busy" : "quiet"
                _ = try await store.enqueue([.sample("\(number)", function: function)])
                _ = try await store.runOne(function, .done(result: InvocationResult(body: [1, 2, 3])))
            }
            var retention = Retention()
            retention.doneRows = 5
            #expect(try await store.prune(retention, now: clock.now).done == 4)
            #expect(try await store.recent(function: "busy", state: .done, limit: 9).map(\.event) == ["6", "5", "4"])
            #expect(try await store.recent(function: "quiet", state: .done, limit: 9).count == 2)
            retention.resultBytes = 14
            #expect(try await store.prune(retention, now: clock.now).results > 0)
        }
    }

    @Test("dead letters are bounded in number and in bytes")
    func deadBounds() async throws {
        try await withClock { (store, clock) async throws in
            for number in 0..<6 {
                clock.pass(.seconds(1))
                _ = try await store.enqueue([.sample("\(number)", data: [UInt8](repeating: 1, count: 10))])
                _ = try await store.runOne("f", .dead(outcome: .failed, reason: ""))
            }
            var retention = Retention()
            retention.deadRows = 4
            #expect(try await store.prune(retention, now: clock.now).dead == 2)
            #expect(try await store.dead(DeadFilter(), limit: 9).map(\.event) == ["5", "4", "3", "2"])
            retention.deadBytes = 0
            #expect(try await store.prune(retention, now: clock.now).dead == 4)
        }
    }

    /// An hour by the store's clock: each second some events come, are done, or die, with data and results; each ten
    /// seconds there is a round of housekeeping.
    @Test("an hour of constant load leaves a file that grows no more after the first minutes")
    func hour() async throws {
        try await withClock { (store, clock) async throws in
            var retention = Retention()
            retention.done = .seconds(300)
            retention.results = .seconds(300)
            retention.dead = .seconds(300)
            var sizes: [Int] = []
            for second in 1...3600 {
                clock.pass(.seconds(1))
                let data = [UInt8](repeating: 7, count: 400)
                _ = try await store.enqueue((0..<8).map { .sample("\(second)-\($0)", due: clock.now, data: data) })
                for leased in try await store.lease(function: "f", limit: 99, now: clock.now) {
                    let result = InvocationResult(status: 200, body: data)
                    let settlement: Settlement =
                        leased.invocation.event.id.hasSuffix("-0")
                        ? .dead(outcome: .failed, reason: "each eighth") : .done(result: result)
                    _ = try await store.commit(Commit(effects: nil, settle: (leased.lease, settlement)))
                }
                if second % 10 == 0 { _ = try await store.prune(retention, now: clock.now) }
                if second % 600 == 0 { sizes.append(try clock.fileSize()) }
            }
            // Ten minutes fill it; then each minute adds what another removes.
            #expect(sizes.count == 6)
            for size in sizes { #expect(Double(size) < Double(sizes[0]) * 1.05, "\(sizes)") }
            // The log begins anew after 4,000 pages.
            #expect(try clock.size(of: "apus.db-wal") < 24 << 20)
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.enqueued == 28_800 && counts.waiting == 0)
            #expect(try await store.recent(function: "f", state: .done, limit: 9999).count < 2200)
        }
    }
}

/// The wall clock of a store, which the test moves.
private final class StoreClock: Sendable {
    private let time = Mutex(WallTime.at(0))
    private let folder: String

    init(folder: String) { self.folder = folder }

    var now: WallTime { time.withLock { $0 } }

    func pass(_ duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }

    func size(of file: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: folder + "/" + file)[.size] as? Int ?? 0
    }

    /// Bytes of the database when all that is in its log is in it.
    func fileSize() throws -> Int {
        let copy = folder + "/copy"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        for name in ["apus.db", "apus.db-wal"] {
            try FileManager.default.copyItem(atPath: folder + "/" + name, toPath: copy + "/" + name)
        }
        let file = try DatabaseQueue(path: copy + "/apus.db")
        return try file.read { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            let bytes = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0
            return pages * bytes
        }
    }
}

/// Without `fsync`, which these tests are not about and would wait for thousands of times.
private func withClock(_ body: (Store, StoreClock) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
        let clock = StoreClock(folder: folder)
        let store = try Store(
            directory: folder, pragmas: ["synchronous = OFF", "journal_size_limit = 0"], now: { clock.now })
        try await body(store, clock)
        try store.close()
    }
}
