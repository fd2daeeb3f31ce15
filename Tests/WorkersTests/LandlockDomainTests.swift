import Events
import Testing
import Workers

@Suite("A Landlock domain") struct LandlockDomainTests {
    /// Lines, each with whom it is said of.
    private struct Heard {
        var domains = LandlockDomains<String>()
        var lines: [String] = []
        var now = SteadyTime.now

        mutating func admit(_ pid: Int32, _ worker: String) {
            for line in domains.admit(pid, worker, now) { lines.append("\(worker): \(line)") }
        }

        mutating func dismiss(_ pid: Int32) { domains.dismiss(pid, now) }

        mutating func receive(_ records: AuditRecord...) {
            for record in records {
                guard let (worker, said) = domains.receive(record, now) else { continue }
                lines += said.map { "\(worker): \($0)" }
            }
        }
    }

    @Test("is its worker's as soon as the kernel says so, with what was refused before")
    func order() {
        var heard = Heard()
        heard.admit(10, "one")
        heard.admit(20, "two")
        heard.receive(.access(domain: 1, "a"))
        #expect(heard.lines == [])
        heard.receive(
            .access(domain: 2, "b"), .allocated(domain: 1, pid: 10), .access(domain: 1, "c"),
            .allocated(domain: 2, pid: 20), .access(domain: 2, "d"))
        #expect(heard.lines == ["one: a", "one: c", "two: b", "two: d"])
    }

    @Test("may be heard of before its worker is known, and for a while after its end")
    func edges() {
        var heard = Heard()
        heard.receive(.access(domain: 1, "early"), .allocated(domain: 1, pid: 10), .access(domain: 1, "soon"))
        heard.admit(10, "one")
        heard.dismiss(10)
        heard.receive(.access(domain: 1, "late"))
        heard.admit(20, "two")
        heard.dismiss(20)
        heard.receive(.access(domain: 2, "last words"), .allocated(domain: 2, pid: 20))
        #expect(heard.lines == ["one: early", "one: soon", "one: late", "two: last words"])
        for pid in 100..<400 as Range<Int32> {
            heard.admit(pid, "other")
            heard.dismiss(pid)
        }
        heard.receive(.access(domain: 1, "never"), .access(domain: 3, "never"), .allocated(domain: 3, pid: 20))
        #expect(heard.lines.count == 4)
    }

    @Test("is not that of another with the same process number")
    func numbers() {
        var heard = Heard()
        heard.admit(10, "old")
        heard.receive(.access(domain: 1, "a"), .allocated(domain: 1, pid: 10))
        #expect(heard.domains.running == ["old"])
        heard.dismiss(10)
        #expect(heard.domains.running == [])
        heard.admit(10, "new")
        #expect(heard.domains.running == ["new"])
        heard.receive(.access(domain: 1, "b"), .access(domain: 2, "c"), .allocated(domain: 2, pid: 10))
        #expect(heard.lines == ["old: a", "new: c"])
        // Nor what has gone before there was such a worker.
        heard.receive(
            .access(domain: 3, "d"), .allocated(domain: 3, pid: 30), .deallocated(domain: 3, denials: 1))
        heard.admit(30, "three")
        #expect(heard.lines.count == 2)
    }

    @Test("is nobody's whose process number was somebody else's a while ago")
    func strangersNumbers() {
        var heard = Heard()
        heard.receive(.access(domain: 1, "a"), .allocated(domain: 1, pid: 10))
        heard.now += .seconds(5)
        heard.admit(10, "worker")
        heard.receive(.access(domain: 1, "b"))
        heard.receive(.access(domain: 2, "c"), .allocated(domain: 2, pid: 10))
        // Of its own making, or of a process with its number.
        heard.receive(.access(domain: 3, "d"), .allocated(domain: 3, pid: 10))
        heard.admit(20, "ended")
        heard.dismiss(20)
        heard.now += .seconds(5)
        heard.receive(.access(domain: 4, "e"), .allocated(domain: 4, pid: 20))
        #expect(heard.lines == ["worker: c"])
    }

    @Test("says in the end how much of it was never told")
    func missing() {
        var heard = Heard()
        heard.admit(10, "one")
        heard.admit(20, "two")
        heard.receive(
            .access(domain: 1, "a"), .allocated(domain: 1, pid: 10), .access(domain: 2, "b"),
            .allocated(domain: 2, pid: 20), .deallocated(domain: 1, denials: 1), .deallocated(domain: 2, denials: 1000),
            .deallocated(domain: 3, denials: 5))
        #expect(
            heard.lines == ["one: a", "two: b", "two: refused 1000 things, of which the kernel has told 1"])
    }

    @Test("of somebody else takes no more than its share of memory, and leaves room for a worker's")
    func strangers() {
        var heard = Heard()
        for id in 1000..<5000 as Range<UInt64> {
            for _ in 0..<50 { heard.receive(.access(domain: id, "x")) }
            heard.receive(.allocated(domain: id, pid: Int32(id)))
        }
        heard.receive(.access(domain: 1, "a"), .allocated(domain: 1, pid: 10))
        heard.admit(10, "one")
        heard.admit(1000, "first stranger")
        heard.admit(4999, "last stranger")
        #expect(heard.lines == ["one: a"] + Array(repeating: "last stranger: x", count: 20))
    }
}
