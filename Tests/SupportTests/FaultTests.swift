import CFaultControl
import Foundation
import Support
import Testing

@Suite("The fault injector")
struct FaultTests {
    @Test("changes nothing while no knob is turned")
    func calm() async throws {
        try await Script.with { script in
            let result = try script.run(
                """
                put("a", b"hello", sync=True)
                os.rename("a", "b")
                put("c", b"", flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.unlink("c")
                print(open("b").read(), os.listdir("."))
                """)
            #expect(result.output == "hello ['b']\n")
            #expect(result.status == 0)
        }
    }

    @Test("stands between SQLite and the kernel")
    func sqlite() async throws {
        try await Script.with { script in
            let result = try script.run(
                """
                db = database()
                db.execute("CREATE TABLE t (value)")
                for value in range(10): insert(db, value)
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                """)
            #expect(result.output == "")
            let calls = script.faults.control.pointee.calls
            #expect(calls.0 >= 22, "each commit writes a header and a page")
            #expect(calls.1 >= 12, "each commit syncs the WAL")
            #expect(calls.2 >= 1, "the checkpoint truncates the WAL")
            #expect(calls.3 >= 3, "the files are made and removed")
        }
    }

    @Test("lets files grow as far as there is space, and overwrites what is there")
    func full() async throws {
        try await Script.with { script in
            script.faults.limitSpace(to: 10)
            let result = try script.run(
                """
                file = os.open("a", os.O_RDWR | os.O_CREAT)
                print(os.write(file, b"1234567"), os.write(file, b"1234567"))
                try: os.write(file, b"x")
                except OSError as error: print(errno.errorcode[error.errno])
                print(os.pwrite(file, b"abc", 0))
                """)
            #expect(result.output == "7 3\nENOSPC\n3\n")
            #expect(script.content("a") == "abc4567123")
        }
    }

    @Test("makes SQLite say that the disk is full, and lets it go on when there is space")
    func fullDatabase() async throws {
        try await Script.with { script in
            #expect(try script.run("database().execute('CREATE TABLE t (value)')").status == 0)
            script.faults.limitSpace(to: 200 << 10)
            let result = try script.run(
                """
                db, count = database(), 0
                try:
                    while True:
                        insert(db, "x" * 10000)
                        count += 1
                except sqlite3.OperationalError as error: print(error)
                print(count == db.execute("SELECT count(*) FROM t").fetchone()[0])
                """)
            #expect(result.output == "database or disk is full\nTrue\n")
            #expect(script.faults.control.pointee.failed > 0)
            script.faults.limitSpace(to: nil)
            #expect(try script.run("insert(database(), 'x' * 10000)").output == "")
        }
    }

    @Test("fails the calls that a rule names: so many, after so many, of such files")
    func rule() async throws {
        try await Script.with { script in
            script.faults.control.pointee.sync.files = UInt64(FAULT_FILE_WAL.rawValue)
            script.faults.control.pointee.sync.skip = 2
            script.faults.control.pointee.sync.times = 1
            script.faults.control.pointee.sync.error = UInt64(EIO)
            let result = try script.run(
                """
                put("x.db", b"1", sync=True)
                for turn in range(4):
                    try: put("x-wal", b"1", sync=True)
                    except OSError as error: print(turn, errno.errorcode[error.errno])
                """)
            #expect(result.output == "2 EIO\n")
            #expect(script.faults.control.pointee.failed == 1)
        }
    }

    @Test("makes everything read-only but what lies elsewhere")
    func readOnly() async throws {
        try await Script.with { script in
            _ = try script.run("put('a', b'1')")
            script.faults.makeReadOnly(true)
            let result = try script.run(
                """
                def attempt(work):
                    try: work()
                    except OSError as error: print(errno.errorcode[error.errno])
                attempt(lambda: put("a", b"2"))
                attempt(lambda: os.unlink("a"))
                attempt(lambda: os.rename("a", "b"))
                attempt(lambda: put("../elsewhere", b"2", sync=True))
                print(open("a").read())
                """)
            #expect(result.output == "EROFS\nEROFS\nEROFS\n1\n")
        }
    }

    @Test(
        "kills before, amid or after the call that counts",
        arguments: [(FAULT_BEFORE, "11"), (FAULT_AMID, "1122"), (FAULT_AFTER, "112222")])
    func kill(moment: fault_moment, content: String) async throws {
        try await Script.with { script in
            script.faults.kill(at: 2, of: [FAULT_CALL_WRITE], moment)
            let result = try script.run(
                """
                file = os.open("a", os.O_RDWR | os.O_CREAT)
                os.write(file, b"11")
                os.write(file, b"2222")
                os.write(file, b"33")
                """)
            #expect(result.wasKilled && result.status == SIGKILL)
            #expect(script.content("a") == content)
        }
    }

    @Test(
        "kills at syncs, changes of names and sends",
        arguments: [
            (FAULT_CALL_SYNC, "put('a', b'1', sync=True)"), (FAULT_CALL_CHANGE, "put('a', b'1')"),
            (FAULT_CALL_TRUNCATE, "put('a', b'1'); os.truncate(os.open('a', os.O_RDWR), 0)"),
            (FAULT_CALL_SEND, "ends = socket.socketpair(); ends[0].send(b'1')"),
        ])
    func killOther(call: fault_call, text: String) async throws {
        try await Script.with { script in
            script.faults.kill(at: 1, of: [call])
            let killed = try script.run(text)
            #expect(killed.wasKilled)
            script.faults.clear()
            let calm = try script.run(text)
            #expect(calm.output == "")
        }
    }
}
