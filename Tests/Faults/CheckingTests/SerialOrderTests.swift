import FaultChecking
import Testing

@Suite("The checker of serial orders")
struct SerialOrderTests {
    private typealias Step = Transaction.Step

    private static func read(_ key: String, _ value: String?) -> Step { .read(key: key, value: value) }

    private static func write(_ key: String, _ value: String) -> Step { .write(key: key, value: value) }

    private static func findings(_ transactions: [Transaction], state: [String: String]) -> [String] {
        SerialOrder.check(transactions, state: state).findings.map(\.description)
    }

    @Test("takes a history that has a serial order")
    func right() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.read("x", nil), Self.write("x", "1")], version: 1),
                Transaction("t2", [Self.read("x", "1"), Self.write("x", "2"), Self.write("y", "3")], version: 2),
                Transaction("t3", [Self.read("x", "2"), Self.read("y", "3")]),
                Transaction("t4", [Self.read("x", "1"), Self.read("y", nil)]),
            ], state: ["x": "2", "y": "3"])
        #expect(found.isEmpty)
    }

    @Test("finds a lost update")
    func lostUpdate() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.read("x", nil), Self.write("x", "1")], version: 1),
                Transaction("t2", [Self.read("x", nil), Self.write("x", "2")], version: 2),
            ], state: ["x": "2"])
        #expect(found.count == 1)
        #expect(found.first?.contains("no serial order") == true)
        #expect(found.first?.contains("t2 -rw(x)-> t1") == true)
    }

    @Test("finds write skew")
    func writeSkew() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.read("x", nil), Self.read("y", nil), Self.write("x", "1")], version: 1),
                Transaction("t2", [Self.read("x", nil), Self.read("y", nil), Self.write("y", "2")], version: 2),
            ], state: ["x": "1", "y": "2"])
        #expect(found.count == 1)
        #expect(found.first?.contains("-rw(y)->") == true && found.first?.contains("-rw(x)->") == true)
    }

    @Test("finds a key that a list did not see (a phantom)")
    func phantom() {
        // Each lists both keys, finds nothing, and makes the one that the other did not see.
        let list = [Self.read("k/0", nil), Self.read("k/1", nil)]
        let found = Self.findings(
            [
                Transaction("t1", list + [Self.write("k/0", "1")], version: 1),
                Transaction("t2", list + [Self.write("k/1", "2")], version: 2),
            ], state: ["k/0": "1", "k/1": "2"])
        #expect(found.count == 1)
    }

    @Test("finds a cycle of three that no pair shows")
    func longCycle() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.read("x", nil), Self.write("y", "1")], version: 1),
                Transaction("t2", [Self.read("y", nil), Self.write("z", "2")], version: 2),
                Transaction("t3", [Self.read("z", nil), Self.write("x", "3")], version: 3),
            ], state: ["x": "3", "y": "1", "z": "2"])
        #expect(found.count == 1)
    }

    @Test("finds an inconsistent read: a reader that saw half of a transaction")
    func halfRead() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.write("x", "1"), Self.write("y", "2")], version: 1),
                Transaction("t2", [Self.read("x", "1"), Self.read("y", nil)]),
            ], state: ["x": "1", "y": "2"])
        #expect(found.count == 1)
        #expect(found.first?.contains("wr(x)") == true)
    }

    @Test("finds a dirty read: a value that its writer overwrote before it committed")
    func dirtyRead() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.write("x", "1"), Self.write("x", "2")], version: 1),
                Transaction("t2", [Self.read("x", "1")]),
            ], state: ["x": "2"])
        #expect(found == ["violation: dirty read: t2 read x = 1, which t1 overwrote before it committed"])
    }

    @Test("finds an aborted read: a value of a transaction that was not applied", arguments: [Fate.refused, .unknown])
    func abortedRead(fate: Fate) {
        let found = Self.findings(
            [Transaction("t1", [Self.write("x", "1")], fate), Transaction("t2", [Self.read("x", "1")])], state: [:])
        #expect(found == ["violation: aborted read: t2 read x = 1, and t1 was not applied"])
    }

    @Test("finds a value that nobody has written")
    func inventedRead() {
        let found = Self.findings([Transaction("t1", [Self.read("x", "9")])], state: [:])
        #expect(found == ["violation: t1 read x = 9, which nobody has written"])
    }

    @Test("finds a stale read: a write was acknowledged before the reader began")
    func staleRead() {
        let write = Transaction("t1", [Self.write("x", "1")], begin: 0, end: 10, version: 1)
        let stale = Transaction("t2", [Self.read("x", nil)], begin: 20, end: 30)
        let found = Self.findings([write, stale], state: ["x": "1"])
        #expect(found == ["violation: no serial order: t1 -rt-> t2 -rw(x)-> t1"])
        let concurrent = Transaction("t2", [Self.read("x", nil)], begin: 5, end: 30)
        #expect(Self.findings([write, concurrent], state: ["x": "1"]).isEmpty)
    }

    @Test("asks nothing of the time of a transaction whose answer was lost")
    func unknownHasNoTime() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.write("x", "1")], .unknown, begin: 0, end: 10, version: 1),
                Transaction("t2", [Self.read("x", nil)], begin: 20, end: 30),
            ], state: ["x": "1"])
        #expect(found.isEmpty)
    }

    @Test("finds an acknowledged transaction that is not there, and a refused one that is")
    func fates() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.write("x", "1")]),
                Transaction("t2", [Self.write("y", "2")], .refused, version: 1),
                Transaction("t3", [Self.write("z", "3")], .unknown),
                Transaction("t4", [Self.write("z", "4")], .unknown, version: 2),
            ], state: ["y": "2", "z": "4"])
        #expect(
            found == [
                "lost: transaction t1 was acknowledged and is not there",
                "violation: transaction t2 was refused and is there",
            ])
    }

    @Test("finds a last write that the state does not hold, and a value that has no writer")
    func finalState() {
        let writes = [Transaction("t1", [Self.write("x", "1")], version: 1)]
        #expect(Self.findings(writes, state: [:]) == ["lost: x holds nothing, and t1 wrote 1 last"])
        #expect(
            Self.findings(writes, state: ["x": "1", "y": "2"])
                == ["violation: y holds 2, which no transaction that was applied has written"])
    }

    @Test("finds a read that changes within a transaction, or misses the transaction's own write")
    func ownReads() {
        let found = Self.findings(
            [
                Transaction("t1", [Self.write("x", "1"), Self.read("x", nil)], version: 1),
                Transaction("t2", [Self.read("x", "1"), Self.read("x", nil)]),
            ], state: ["x": "1"])
        #expect(
            found == [
                "violation: t1 read x = nothing where it had 1 before",
                "violation: t2 read x = nothing where it had 1 before",
            ])
    }

    @Test("takes a long random history that was made one after the other, and finds one swap in it")
    func longHistory() {
        var random = SeededGenerator(seed: 7)
        var state: [String: String] = [:]
        var history: [Transaction] = []
        for number in 1...2000 {
            let keys = ["a", "b", "c", "d"].shuffled(using: &random)
            let steps = [Self.read(keys[0], state[keys[0]]), Self.write(keys[1], "\(number)")]
            state[keys[1]] = "\(number)"
            let (begin, end) = (number * 10, number * 10 + 15)
            history.append(Transaction("t\(number)", steps, begin: begin, end: end, version: number))
        }
        #expect(Self.findings(history, state: state).isEmpty)
        (history[1000].version, history[1005].version) = (history[1005].version, history[1000].version)
        #expect(!Self.findings(history, state: state).isEmpty)
    }
}
