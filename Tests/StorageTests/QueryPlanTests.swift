import Events
import GRDB
import Storage
import Support
import Synchronization
import Testing

@Suite("Query plans")
struct QueryPlanTests {
    @Test("no verb scans a table that grows, and none sorts")
    func plans() async throws {
        try await withTemporaryFolder { folder in
            let statements = Statements()
            let store = try Store(directory: folder, trace: { statements.insert($0) })
            try await useEveryVerb(of: store)
            try store.close()
            let plans = try await DatabaseQueue(path: folder + "/apus.db").read { database in
                try statements.all.map { sql in
                    let rows = try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + sql, arguments: .none(sql))
                    return (sql, rows.map { $0["detail"] as String })
                }
            }
            #expect(plans.count > 30)
            for (sql, steps) in plans {
                for step in steps { #expect(!isSlow(step), "\(sql): \(step)") }
            }
        }
    }

    private func isSlow(_ step: String) -> Bool {
        // One row a function, a timer or a file trigger; or what the statement itself has just gathered.
        let small = ["SCAN queue_count", "SCAN timer", "SCAN found", "SCAN CONSTANT ROW"]
        if small.contains(step) { return false }
        return step.hasPrefix("SCAN") || step.contains("TEMP B-TREE") || step.contains("AUTOMATIC")
    }

    private func useEveryVerb(of store: Store) async throws {
        var effects = Effects.writing(["a": .set([1]), "b": .increment(1), "c": .delete])
        effects.reads = [.init(key: "a", version: 0)]
        effects.scans = [
            .init(prefix: "x", after: nil, limit: 1, seen: []), .init(prefix: "", after: "x", limit: 1, seen: []),
        ]
        _ = try store.isCurrent(effects)
        _ = try await store.commit(Commit(effects: effects))
        let response = IdempotentResponse(
            function: "f", key: "k", fingerprint: [], invocation: InvocationID(), status: 200, expires: .at(0))
        _ = try await store.commit(Commit(effects: nil, response: response))
        _ = try await store.idempotentResponse(function: "f", key: "k", now: .at(0))
        _ = try await store.pruneIdempotentResponses(now: .at(0))
        _ = try store.value("a", in: "n")
        _ = try store.scan(prefix: "a", after: "b", limit: 1, in: "n")
        _ = try await store.namespaces()
        try await useQueue(of: store)
        _ = try await store.register(timer: "t", definition: "d", since: .at(0))
        _ = try await store.fire(timer: "t", due: .at(1), invocation: .sample("t"), skipIfBusy: true)
        _ = try await store.fire(timer: "t", due: .at(200_000), invocation: nil, skipIfBusy: true)
        _ = try await store.prune(doneBefore: .now())
        let stamp = FileStamp(size: 1, modified: 1, inode: 1)
        try await store.recordFiles(trigger: "t", changes: ["a": stamp, "b": nil], invocations: [])
        _ = try await store.fileIndex(trigger: "t")
    }

    private func useQueue(of store: Store) async throws {
        _ = try await store.enqueue((0..<4).map { .sample("\($0)", exclusive: true) })
        _ = try await store.runOne()
        _ = try await store.runOne("f", .retry(at: .at(0), outcome: .failed, reason: ""))
        _ = try await store.runOne("f", .dead(outcome: .failed, reason: ""))
        let leased = try await store.lease(function: "f", limit: 1, now: .at(1))
        try await store.giveBack(leased.map(\.lease))
        _ = try await store.nextDue()
        _ = try await store.queueCounts()
        _ = try await store.recent(function: nil, state: nil, limit: 1)
        try await useRecords(of: store)
    }

    private func useRecords(of store: Store) async throws {
        let request = QueuedRequestTests.request()
        _ = try await store.enqueue([request])
        _ = try await store.runOne("f", .done(result: InvocationResult(body: [1])))
        _ = try await store.record(of: request.id)
        _ = try await store.result(of: request.id)
        let waiting = NewInvocation.sample("w", due: .at(2_000_000_000))
        _ = try await store.enqueue([waiting])
        _ = try await store.cancel(waiting.id, reason: "")
        let dead = try await store.dead(DeadFilter(function: "f", before: .now()), limit: 1)
        for letter in dead { _ = try await store.reviveDead(letter.id) }
        _ = try await store.runOne("f", .dead(outcome: .failed, reason: ""), now: .now())
        _ = try await store.reviveDead(DeadFilter())
        _ = try await store.runOne("f", .dead(outcome: .failed, reason: ""), now: .now())
        _ = try await store.dropDead(DeadFilter())
        var retention = Retention()
        (retention.doneRows, retention.resultBytes) = (0, 0)
        _ = try await store.prune(retention, now: .now())
    }
}

/// The SQL that has run, once each; only what touches tables.
private final class Statements: Sendable {
    private let seen = Mutex<Set<String>>([])

    var all: [String] { seen.withLock { $0.sorted() } }

    func insert(_ sql: String) {
        guard ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(where: sql.hasPrefix) else { return }
        // A look at the first row of a table, at the start.
        if sql.hasPrefix("SELECT *") { return }
        _ = seen.withLock { $0.insert(sql) }
    }
}

extension StatementArguments {
    /// As many NULLs as `sql` has places; the plan does not depend on them.
    fileprivate static func none(_ sql: String) -> StatementArguments {
        let numbered = (1...20).last { sql.contains("?\($0)") }
        let count = numbered ?? sql.count { $0 == "?" }
        return StatementArguments([DatabaseValue](repeating: .null, count: count))
    }
}
