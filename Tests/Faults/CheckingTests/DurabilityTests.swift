import FaultChecking
import Testing

@Suite("The audit of system calls")
struct DurabilityTests {
    private static let write = #"7 pwrite64(9</d/apus.db-wal>, "\0mark-1\0", 4096, 56) = 4096"#
    private static let answer = #"8 write(12<TCP:[127.0.0.1:8080->127.0.0.1:500]>, "HTTP/1.1 200", 12) = 12"#

    private static func findings(_ lines: String...) -> [String] {
        let calls = SystemCall.parse(lines.joined(separator: "\n"))
        return DurabilityAudit.check([TracedRequest(mark: "mark-1", port: 500)], calls: calls)
            .findings.map(\.what)
    }

    @Test("takes an answer that was sent after the sync of what it acknowledges had returned")
    func right() {
        #expect(Self.findings(Self.write, "7 fdatasync(9</d/apus.db-wal>) = 0", Self.answer).isEmpty)
        let inParts = Self.findings(
            Self.write, "7 fdatasync(9</d/apus.db-wal> <unfinished ...>", "8 fsync(3</other>) = 0",
            "7 <... fdatasync resumed>)  = 0", Self.answer)
        #expect(inParts.isEmpty)
    }

    @Test("finds an answer that left while the sync was under way, or before it")
    func early() {
        let expected = "the answer to mark-1 was sent before its effects were synced: line"
        let during = Self.findings(
            Self.write, "7 fdatasync(9</d/apus.db-wal> <unfinished ...>", Self.answer, "7 <... fdatasync resumed>) = 0")
        #expect(during == ["\(expected) 3"])
        #expect(Self.findings(Self.write, Self.answer, "7 fdatasync(9</d/apus.db-wal>) = 0") == ["\(expected) 2"])
        #expect(Self.findings("7 fdatasync(9</d/apus.db-wal>) = 0", Self.write, Self.answer) == ["\(expected) 3"])
    }

    @Test("counts neither a sync that failed, nor one of another file, nor one that never returned")
    func otherSyncs() {
        for sync in [
            "7 fdatasync(9</d/apus.db-wal>) = -1 EIO (Input/output error)", "7 fdatasync(9</d/apus.db>) = 0",
            "7 fdatasync(9</d/apus.db-wal> <unfinished ...>",
        ] {
            #expect(Self.findings(Self.write, sync, Self.answer).count == 1)
        }
    }

    @Test("finds effects that were never written, and an answer that is missing")
    func missing() {
        #expect(
            Self.findings("7 fdatasync(9</d/apus.db-wal>) = 0", Self.answer)
                == ["the answer to mark-1 was sent, and its effects were never written to the log"])
        #expect(Self.findings(Self.write) == ["the answer to mark-1 is not in the trace"])
    }

    @Test("reads descriptors, results and lines that are no calls")
    func parsing() {
        let calls = SystemCall.parse(
            """
            7 pwrite64(9</d/a>, "x\\"<y>, (", 8, 0) = 8
            7 --- SIGCHLD {si_signo=SIGCHLD} ---
            8  writev(4<UNIX-STREAM:[1->2]>, [{iov_base="a", iov_len=1}], 1 <unfinished ...>
            8  <... writev resumed>) = -1 EPIPE (Broken pipe)
            9 +++ killed by SIGKILL +++
            """)
        #expect(calls.map(\.name) == ["pwrite64", "writev"])
        #expect(calls.map(\.target) == ["/d/a", "UNIX-STREAM:[1->2]"])
        #expect(calls.map(\.result) == [8, -1])
        #expect(calls.map(\.end) == [0, 3])
    }
}
