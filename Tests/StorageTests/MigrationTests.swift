import Events
import GRDB
import Storage
import Support
import Testing

@Suite("Migrations")
struct MigrationTests {
    /// What the first version made of two lines, one event that runs, one that is done and one that is dead.
    private static let rows = """
        INSERT INTO invocation (sequence, id, function, kind, trigger, source, event, type, time, due, exclusive, blocked,
            state, attempt, epoch, enqueued, ended, outcome, data)
        VALUES
            (1, x'00000000000070008000000000000001', 'f', 'timer', 'f/timer/0', '/s', '1', 't', 1, 10, 1, 0, 'waiting', 1, 1,
                5, NULL, NULL, x'0102'),
            (2, x'00000000000070008000000000000002', 'f', 'timer', 'f/timer/0', '/s', '2', 't', 1, 10, 1, 1, 'waiting', 0, 0,
                6, NULL, NULL, x''),
            (3, x'00000000000070008000000000000003', 'f', 'topic', 'f/topic/0', '/s', '3', 't', 1, 10, 0, 0, 'waiting', 0, 0,
                7, NULL, NULL, x'03'),
            (4, x'00000000000070008000000000000004', 'f', 'topic', 'f/topic/0', '/s', '4', 't', 1, 10, 0, 0, 'waiting', 0, 0,
                8, NULL, NULL, x'04');
        UPDATE invocation SET state = 'running', attempt = 2, epoch = 4 WHERE sequence = 3;
        UPDATE invocation SET state = 'dead', ended = 9, outcome = 'failed', reason = 'no' WHERE sequence = 4;
        """

    private func withFirstVersion(
        _ body: (Store) async throws -> Void, then check: ((Database) throws -> Void)? = nil
    ) async throws {
        try await withTemporaryFolder { folder in
            let file = try DatabaseQueue(path: folder + "/apus.db")
            try Migrations.migrator.migrate(file, upTo: "v1")
            try await file.write { try $0.execute(sql: Self.rows) }
            try file.close()
            try await reopening(folder) { (store) async throws in try await body(store) }
            guard let check else { return }
            try DatabaseQueue(path: folder + "/apus.db").writeWithoutTransaction(check)
        }
    }

    @Test("what the first version has queued is there, each in its place, and counted")
    func carriedOver() async throws {
        try await withFirstVersion { (store) async throws in
            let counts = try #require(try await store.queueCounts()["f"])
            #expect(counts.enqueued == 4 && counts.waiting == 3 && counts.running == 0 && counts.dead == 1)
            #expect(counts.bytes == 3)
            let leased = try await store.lease(function: "f", limit: 9, now: .at(0))
            #expect(leased.map(\.invocation.event.id) == ["1", "3"])
            #expect(leased.map(\.attempt) == [2, 3] && leased.map(\.lease.epoch) == [2, 5])
            #expect(leased.map(\.invocation.line) == ["f/timer/0", nil])
            #expect(leased.map(\.since.milliseconds) == [5, 7] && leased[0].invocation.event.data == [1, 2])
            #expect(leased.allSatisfy { $0.invocation.urgency == NewInvocation.usualUrgency })
            let dead = try #require(try await store.recent(function: "f", state: .dead, limit: 9).first)
            #expect(dead.reason == "no" && dead.event == "4")
        }
    }

    @Test("a line goes on where it was, and an event that is known stays known")
    func goesOn() async throws {
        try await withFirstVersion { (store) async throws in
            #expect(try await store.runOne()?.invocation.event.id == "1")
            #expect(try await store.runOne()?.invocation.event.id == "2")
            var known = NewInvocation.sample("3")
            known.event.source = "/s"
            #expect(try await store.enqueue([known]) == 0)
        }
    }

    @Test("a row's state is still checked, whatever the words")
    func statesAreChecked() async throws {
        try await withFirstVersion { (store) async throws in
            _ = try await store.enqueue([.sample("5")])
            try store.close()
        } then: { file in
            for change in ["state = 'lost'", "state = 'done'", "ended = 1", "state = NULL"] {
                let error = #expect(throws: DatabaseError.self) {
                    try file.execute(sql: "UPDATE invocation SET \(change) WHERE event = '5'")
                }
                #expect(error?.resultCode == .SQLITE_CONSTRAINT)
            }
            try file.execute(sql: "UPDATE invocation SET state = 'dead', ended = 1 WHERE event = '5'")
            #expect(try String.fetchAll(file, sql: "PRAGMA integrity_check") == ["ok"])
            let checks = try String.fetchOne(file, sql: "SELECT sql FROM sqlite_schema WHERE name = 'invocation'")
            #expect(checks?.contains("state IN") == false)
        }
    }
}
