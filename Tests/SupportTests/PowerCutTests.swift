import CFaultControl
import Foundation
import Support
import Testing

@Suite("A power cut")
struct PowerCutTests {
    @Test("loses what was not synced and keeps what was", arguments: [Faults.Undo.whole, .parts])
    func unsynced(undo: Faults.Undo) async throws {
        try await Script.with(undo: undo) { script in
            _ = try script.run(
                """
                put("a", b"one two", sync=True)
                put("a", b"ONE", sync=True)
                put("a", b"2", 4)
                put("a", b"three", 8)
                put("b", b"new")
                """)
            #expect(script.content("a") == "ONE 2wo\0three")
            try script.cutPower()
            #expect(script.content("a") == "ONE two")
            #expect(script.content("b") == nil)
        }
    }

    @Test("brings back what was cut off, removed, replaced or renamed, until the folder is synced")
    func names() async throws {
        try await Script.with(undo: .whole) { script in
            _ = try script.run(
                """
                for name in "abcde": put(name, name.encode() * 4, sync=True)
                os.unlink("e")
                folder = os.open(".", os.O_RDONLY)
                os.fsync(folder)
                os.truncate(os.open("a", os.O_RDWR), 1)
                os.unlink("b")
                os.rename("c", "d")
                open("a", "w").close()
                """)
            try script.cutPower()
            #expect(["a", "b", "c", "d"].map(script.content) == ["aaaa", "bbbb", "cccc", "dddd"])
            #expect(script.content("e") == nil)
        }
    }

    @Test("takes everything from a disk that lies about its syncs")
    func skipped() async throws {
        try await Script.with(undo: .whole) { script in
            #expect(try script.run("db = database(); db.execute('CREATE TABLE t (value)'); insert(db, 1)").output == "")
            script.faults.control.pointee.sync_skipped = 1
            #expect(try script.run("insert(database(), 2); os._exit(0)").output == "")
            try script.cutPower()
            script.faults.clear()
            let read = "print(database().execute('SELECT group_concat(value) FROM t').fetchone()[0])"
            #expect(try script.run(read).output == "1\n")
        }
    }

    @Test("leaves every commit that SQLite has confirmed, wherever it is killed", arguments: [1, 4, 9, 17, 40, 55])
    func sqlite(call: Int) async throws {
        try await Script.with(undo: .whole) { script in
            #expect(try script.run("database().execute('CREATE TABLE t (value)')").output == "")
            script.faults.kill(at: call, of: [FAULT_CALL_WRITE, FAULT_CALL_SYNC, FAULT_CALL_TRUNCATE], FAULT_AMID)
            let result = try script.run(
                """
                db = database()
                for value in range(100):
                    insert(db, value)
                    print(value, flush=True)
                """)
            #expect(result.wasKilled)
            let confirmed = result.output.split(separator: "\n").count
            try script.cutPower()
            let count = "print(database().execute('SELECT count(*) FROM t').fetchone()[0])"
            #expect(try script.run(count).output == "\(confirmed)\n")
        }
    }

    @Test("may keep some of what was not synced, and lose the rest")
    func parts() async throws {
        try await Script.with(undo: .parts) { script in
            _ = try script.run(
                """
                put("a", b".....", sync=True)
                for index in range(5): put("a", b"x", index)
                """)
            let cut = try PowerCut(of: script.faults)
            #expect(cut.volatileChanges == 5)
            try cut.happen(below: script.folder) { $0 % 2 == 0 }
            #expect(script.content("a")?.count == 5)
            #expect(script.content("a")?.contains("x") == true)
            #expect(script.content("a")?.contains(".") == true)
        }
    }

    @Test("loses for good what a failed sync was about, unless it is written again")
    func failedSync() async throws {
        try await Script.with(undo: .whole) { script in
            _ = try script.run("put('a', b'.' * 8192, sync=True)")
            script.faults.control.pointee.sync.times = 1
            script.faults.control.pointee.sync.error = UInt64(EIO)
            let result = try script.run(
                """
                file = os.open("a", os.O_RDWR)
                os.pwrite(file, b"first", 0)
                os.pwrite(file, b"second", 4096)
                try: os.fsync(file)
                except OSError: print("failed")
                os.pwrite(file, b"again", 10)
                os.fsync(file)
                """)
            #expect(result.output == "failed\n")
            try script.cutPower()
            let content = try #require(script.content("a"))
            #expect(content.hasPrefix("first.....again"), "the whole page was written again")
            #expect(!content.contains("second"))
        }
    }

    @Test("also takes what an earlier process had not synced, and nothing once the log is forgotten")
    func processes() async throws {
        try await Script.with(undo: .whole) { script in
            _ = try script.run("put('a', b'1', sync=True); put('b', b'1', sync=True)")
            _ = try script.run("put('a', b'2'); put('b', b'2')")
            _ = try script.run("os.fsync(os.open('b', os.O_RDWR))")
            try script.cutPower()
            #expect(script.content("a") == "1")
            #expect(script.content("b") == "2")
            _ = try script.run("put('a', b'3')")
            try PowerCut(of: script.faults).forget()
            try script.cutPower()
            #expect(script.content("a") == "3")
        }
    }

    @Test("finds an undo log that stays small while everything is synced")
    func smallLog() async throws {
        try await Script.with(undo: .parts) { script in
            _ = try script.run(
                "file = os.open('a', os.O_RDWR | os.O_CREAT)\n" + """
                    for index in range(100):
                        os.pwrite(file, b"x" * 1000, 0)
                        os.fsync(file)
                    """)
            let attributes = try FileManager.default.attributesOfItem(atPath: script.faults.undoLog)
            #expect((attributes[.size] as? Int ?? .max) < 10_000)
        }
    }
}
