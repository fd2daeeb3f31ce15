import Events
import Foundation
import GRDB
import Storage
import Support
import Testing

@Suite("The check of a database")
struct InvariantTests {
    /// A data folder with something of everything in it, which no store has open.
    private func withData(_ body: (String) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let data = folder + "/data"
            let store = try Store(directory: data)
            try await store.put("k", "v")
            let events = (1...3).map { NewInvocation.sample("e\($0)", exclusive: true, data: [1, 2]) }
            _ = try await store.enqueue(events + [.sample("x", function: "g")])
            _ = try await store.runOne()
            _ = try await store.runOne("f", .dead(outcome: .failed, reason: "tests"))
            _ = try await store.fire(
                timer: "t", due: .at(5), invocation: .sample("i", function: "h"), skipIfBusy: false)
            _ = try await store.lease(function: "g", limit: 1, now: .now())
            try store.close()
            try await body(data)
        }
    }

    private func change(_ data: String, _ sql: String) async throws {
        let file = try DatabaseQueue(path: data + "/apus.db")
        try await file.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA ignore_check_constraints = 1")
            try $0.execute(sql: sql)
        }
        try file.close()
    }

    @Test("finds nothing in what the store has written, also while it writes")
    func clean() async throws {
        try await withData { (data) async throws in
            #expect(try DatabaseCheck(ofDataFolder: data).violations == [])
            #expect(try DatabaseCheck(ofDataFolder: data).running == 1)
        }
        try await withStore { (store, data) async throws in
            let writing = Task {
                var number = 0
                while !Task.isCancelled {
                    _ = try await store.enqueue([.sample("e\(number)", exclusive: true)])
                    if number % 2 == 0 { _ = try await store.runOne(now: .now()) }
                    number += 1
                }
            }
            #expect(try await eventually { try await store.queueCounts()["f"]?.done ?? 0 > 3 })
            for _ in 0..<10 { #expect(try DatabaseCheck(ofDataFolder: data).violations == []) }
            writing.cancel()
            try await writing.value
        }
    }

    @Test(
        "says in words what cannot be",
        arguments: [
            (
                "UPDATE invocation SET state = 'resting' WHERE event = 'x'",
                "has the state 'resting', which there is not"
            ),
            ("UPDATE invocation SET ended = 1 WHERE event = 'e3'", "is waiting and has ended"),
            ("UPDATE invocation SET ended = NULL WHERE event = 'e1'", "is done and has no end"),
            ("UPDATE invocation SET outcome = NULL WHERE event = 'e2'", "is dead without an outcome"),
            ("UPDATE invocation SET epoch = 0 WHERE event = 'x'", "runs without a lease: attempt 1, epoch 0"),
            ("UPDATE invocation SET blocked = 1, line = 'l' WHERE event = 'x'", "runs though it is blocked"),
            ("UPDATE invocation SET data = x'01' WHERE event = 'e1'", "is done and still has its data"),
            (
                "UPDATE invocation SET blocked = 1 WHERE event = 'e3'",
                "in the line 'f/timer/0', 0 of 1 are not blocked, instead of one"
            ),
            (
                "UPDATE invocation SET state = 'waiting', ended = NULL WHERE event = 'e2'",
                "in the line 'f/timer/0', 2 of 2 are not blocked, instead of one"
            ),
            (
                "UPDATE queue_count SET enqueued = 9 WHERE function = 'f'",
                "of 'f', 9 were enqueued, but waiting, running"
            ),
            (
                "UPDATE queue_count SET waiting = 2, enqueued = 4 WHERE function = 'f'",
                "'f' has 1 waiting, and its count says 2"
            ),
            ("DELETE FROM invocation WHERE event = 'x'", "'g' has 0 running, and its count says 1"),
            ("DELETE FROM queue_count WHERE function = 'g'", "'g' has 1 running, and its count says 0"),
            (
                "UPDATE queue_count SET bytes = 99 WHERE function = 'f'",
                "bytes in what waits and runs, and its count says 99"
            ),
            (
                "INSERT INTO result VALUES (99, 'f', 200, NULL, x'0102', 0, 0)",
                "the result of the invocation number 99 belongs to none that is done"
            ),
            (
                "UPDATE state SET version = (SELECT value + 1 FROM counter WHERE name = 'version')",
                "the key 'k' in 'n' has the version 10002, and the last that may have been given is 10001"
            ),
        ])
    func violation(sql: String, words: String) async throws {
        try await withData { (data) async throws in
            try await change(data, sql)
            let found = try DatabaseCheck(ofDataFolder: data).violations
            #expect(found.contains { $0.contains(words) }, "\(found)")
        }
    }

    @Test("finds a timer that has fired twice, and an event that is there twice")
    func twice() async throws {
        try await withData { (data) async throws in
            try await change(
                data,
                """
                DROP INDEX invocation_event;
                CREATE TEMP TABLE twin AS SELECT * FROM invocation WHERE event = 'i';
                UPDATE twin SET sequence = sequence + 100, id = randomblob(16);
                INSERT INTO invocation SELECT * FROM twin
                """)
            try await change(data, "INSERT INTO timer VALUES ('h/timer/0', '', 1600000006000, NULL)")
            let found = try DatabaseCheck(ofDataFolder: data).violations
            #expect(found.contains { $0.contains("which has not noted that it has fired for i") }, "\(found)")
            #expect(found.contains { $0.contains("has fired 2 times for i") }, "\(found)")
            #expect(
                found.contains { $0.contains("the event 'i' of '/timers/h/0' is in the queue 2 times") }, "\(found)")
        }
    }

    @Test("tells a damaged file from a whole one, and what is no database from both")
    func damaged() async throws {
        try await withData { (data) async throws in
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: data + "/apus.db"))
            let end = try file.seekToEnd()
            try file.seek(toOffset: 3 * 4096)
            try file.write(contentsOf: Data(repeating: 0x55, count: Int(end) - 3 * 4096))
            try file.close()
            do {
                let found = try DatabaseCheck(ofDataFolder: data).violations
                #expect(found.first?.hasPrefix("the file is damaged") == true)
            } catch let error as StorageError {
                #expect(error.code == .damaged)
            }
        }
        try await withTemporaryFolder { folder in
            let error = #expect(throws: StorageError.self) { try DatabaseCheck(ofDataFolder: folder) }
            #expect(error?.code == .missing)
        }
    }

    @Test("does not judge a database of another version")
    func otherVersion() async throws {
        try await withData { (data) async throws in
            try await change(data, "PRAGMA user_version = 1")
            let error = #expect(throws: StorageError.self) { try DatabaseCheck(ofDataFolder: data) }
            #expect(error?.code == .olderVersion)
        }
    }
}
