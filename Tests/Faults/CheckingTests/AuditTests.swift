import FaultChecking
import Testing

@Suite("The audit of the bank")
struct BankAuditTests {
    private let audit = BankAudit(accounts: 2, opening: 100)

    private func findings(_ transfers: [Transfer], totals: [Int] = [200], _ books: BankBooks) -> [Finding.Kind] {
        audit.check(transfers, totals: totals, books: books).findings.map(\.kind)
    }

    private func transfer(_ fate: Fate) -> Transfer { Transfer("t", from: 0, to: 1, amount: 5, fate) }

    @Test("takes transfers that were moved once, and unknown ones that were moved or not", arguments: [0, 1])
    func right(times: Int) {
        let books = BankBooks(
            balances: [95 - 5 * times, 105 + 5 * times], debits: ["t": 1, "u": times], credits: ["t": 1, "u": times])
        let unknown = Transfer("u", from: 0, to: 1, amount: 5, .unknown)
        #expect(findings([transfer(.acknowledged), unknown], books).isEmpty)
    }

    @Test("finds a transfer that was acknowledged and is not there")
    func lost() {
        let found = findings([transfer(.acknowledged)], BankBooks(balances: [100, 100]))
        #expect(found == [.lost, .lost])
    }

    @Test("finds a transfer that was applied twice")
    func doubled() {
        let books = BankBooks(balances: [90, 110], debits: ["t": 2], credits: ["t": 2])
        #expect(findings([transfer(.acknowledged)], books) == [.doubled, .doubled])
    }

    @Test("finds half a transfer, unless its other half is among the dead letters")
    func half() {
        var books = BankBooks(balances: [95, 100], transit: 5, debits: ["t": 1])
        #expect(findings([transfer(.unknown)], books) == [.violation])
        books.dead = ["t"]
        #expect(findings([transfer(.acknowledged)], books).isEmpty)
    }

    @Test("finds a refused transfer that is there")
    func refused() {
        let books = BankBooks(balances: [95, 105], debits: ["t": 1], credits: ["t": 1])
        #expect(findings([transfer(.refused)], books) == [.violation, .violation])
    }

    @Test("finds a read that saw money come or go, and balances that the transfers do not make")
    func sums() {
        #expect(findings([], totals: [200, 195], BankBooks(balances: [100, 100])) == [.violation])
        #expect(findings([], BankBooks(balances: [100, 101])) == [.violation])
    }
}

@Suite("The audit of the queue")
struct JobAuditTests {
    private func findings(_ job: Job, _ ends: [JobEnd], effects: Int) -> [Finding.Kind] {
        JobAudit.check([job], ends: ["j": ends], effects: ["j": effects]).findings.map(\.kind)
    }

    @Test(
        "takes each end with the effects that belong to it",
        arguments: [(JobEnd.done, 1), (.dead, 0)])
    func right(end: JobEnd, effects: Int) {
        #expect(findings(Job("j", .acknowledged), [end], effects: effects).isEmpty)
        #expect(findings(Job("j", .unknown), [end], effects: effects).isEmpty)
    }

    @Test("takes a cancelled one whose caller knows it, or may")
    func cancelled() {
        #expect(findings(Job("j", .acknowledged, cancelled: .acknowledged), [.cancelled], effects: 0).isEmpty)
        #expect(findings(Job("j", .acknowledged, cancelled: .unknown), [.cancelled], effects: 0).isEmpty)
        #expect(findings(Job("j", .acknowledged, cancelled: .unknown), [.done], effects: 1).isEmpty)
        #expect(findings(Job("j", .acknowledged), [.cancelled], effects: 0) == [.violation])
    }

    @Test("finds the effects of a cancelled one, and one that is done though its cancel was acknowledged")
    func cancelledAndApplied() {
        let job = Job("j", .acknowledged, cancelled: .acknowledged)
        #expect(findings(job, [.cancelled], effects: 1) == [.violation])
        #expect(findings(job, [.done], effects: 1) == [.violation])
    }

    @Test("finds an accepted one that is gone, has not ended, or left no effect")
    func lost() {
        #expect(findings(Job("j", .acknowledged), [], effects: 0) == [.lost])
        #expect(findings(Job("j", .acknowledged), [.open], effects: 0) == [.violation])
        #expect(findings(Job("j", .acknowledged), [.done], effects: 0) == [.lost])
        #expect(findings(Job("j", .unknown), [], effects: 0).isEmpty)
    }

    @Test("finds doubled effects, doubled ends, effects of a dead one, and a refused one that ran")
    func doubled() {
        #expect(findings(Job("j", .acknowledged), [.done], effects: 2) == [.doubled])
        #expect(findings(Job("j", .acknowledged), [.done, .dead], effects: 1) == [.doubled])
        #expect(findings(Job("j", .acknowledged), [.dead], effects: 1) == [.violation])
        #expect(findings(Job("j", .refused), [.done], effects: 1) == [.violation])
    }
}

@Suite("The audits of timers and files")
struct TriggerAuditTests {
    @Test("each instant is there once")
    func instants() {
        let right = InstantAudit.check("t", [10: 1, 11: 1, 12: 1, 99: 1], range: 10...12)
        #expect(right.findings.isEmpty)
        let wrong = InstantAudit.check("t", [10: 1, 12: 2], range: 10...12)
        #expect(wrong.findings.map(\.kind) == [.lost, .doubled])
    }

    @Test("takes files that came, changed, moved and went")
    func files() {
        let notes: [FileNote: Int] = [
            FileNote(.created, "a", size: 1): 1, FileNote(.modified, "a", size: 2): 1,
            FileNote(.moved, "b", from: "a", size: 2): 1, FileNote(.created, "c", size: 3): 1,
            FileNote(.deleted, "c", size: 3): 1,
        ]
        #expect(FileAudit.check(notes, files: ["b": 2]).findings.isEmpty)
    }

    @Test("finds a last state that nobody was told of, or twice")
    func lastStates() {
        let created = FileNote(.created, "a", size: 1)
        #expect(FileAudit.check([created: 1], files: ["a": 2]).findings.map(\.kind) == [.lost])
        let modified = FileNote(.modified, "a", size: 2)
        #expect(FileAudit.check([created: 1, modified: 2], files: ["a": 2]).findings.map(\.kind) == [.doubled])
    }

    @Test("finds a file whose end or beginning was not told, or told twice")
    func comingsAndGoings() {
        let created = FileNote(.created, "a", size: 1)
        let deleted = FileNote(.deleted, "a", size: 1)
        #expect(FileAudit.check([created: 1], files: [:]).findings.map(\.kind) == [.doubled])
        #expect(FileAudit.check([created: 1, deleted: 2], files: [:]).findings.map(\.kind) == [.lost])
        #expect(FileAudit.check([created: 2], files: ["a": 1]).findings.map(\.kind) == [.doubled, .doubled])
    }
}

@Suite("Random plans of transactions")
struct TransactionPlanTests {
    @Test("come again with the same seed")
    func seeded() {
        var first = SeededGenerator(seed: 5, stream: "a")
        var again = SeededGenerator(seed: 5, stream: "a")
        var other = SeededGenerator(seed: 5, stream: "b")
        let plan = TransactionPlan(id: "t", prefix: "k/", keys: 5, &first)
        #expect(plan == TransactionPlan(id: "t", prefix: "k/", keys: 5, &again))
        #expect(plan != TransactionPlan(id: "t", prefix: "k/", keys: 5, &other))
    }

    @Test("become what was done with the notes of the handler")
    func notes() {
        var random = SeededGenerator(seed: 1)
        var plan = TransactionPlan(id: "t", prefix: "k/", keys: 2, &random)
        plan.steps = [.read("k/0"), .write("k/1", value: "t.1"), .pause(milliseconds: 3), .list]
        #expect(plan.request == "r k/0\nw k/1 t.1\np 3\nl k/\n")
        #expect(
            plan.done(reading: "k/0=\n\n\nk/1=t.1 \n") == [
                .read(key: "k/0", value: nil), .write(key: "k/1", value: "t.1"), .read(key: "k/0", value: nil),
                .read(key: "k/1", value: "t.1"),
            ])
        #expect(plan.writes == [.write(key: "k/1", value: "t.1")])
    }
}
