import Engine
import Events
import Storage
import Testing

@Suite("What an invocation reads and writes")
struct EffectsBufferTests {
    var buffer = EffectsBuffer(namespace: "orders")

    @Test("a key that was read is remembered with its version")
    mutating func readsAreRemembered() throws {
        #expect(buffer.begin(.get(key: "a")) == .value(key: "a"))
        let result = buffer.found(VersionedValue(value: bytes("1"), version: 7), for: .get(key: "a"))
        #expect(result == .success(.value(bytes("1"))))
        #expect(buffer.effects.reads == [.init(key: "a", version: 7)])
    }

    @Test("a key that is not there is remembered with version 0")
    mutating func absenceIsRemembered() {
        _ = buffer.found(nil, for: .get(key: "a"))
        #expect(buffer.effects.reads == [.init(key: "a", version: 0)])
    }

    @Test("a key reads the same each time, and is looked up once")
    mutating func readsAreRepeatable() {
        _ = buffer.found(VersionedValue(value: bytes("1"), version: 7), for: .get(key: "a"))
        #expect(buffer.begin(.get(key: "a")) == .none(.success(.value(bytes("1")))))
    }

    @Test("a key that the handler has found itself is remembered as one that was looked up")
    mutating func foundByHandler() throws {
        let found = StateOperation.found(key: "a", value: bytes("1"), version: 7, isRead: true)
        #expect(buffer.begin(found) == .none(.success(.done)))
        #expect(buffer.begin(.get(key: "a")) == .none(.success(.value(bytes("1")))))
        #expect(buffer.begin(found) == .none(.success(.done)))
        #expect(buffer.effects.reads == [.init(key: "a", version: 7)])
    }

    @Test("what the handler has found to increment depends on nothing, until it is read")
    mutating func foundToIncrement() throws {
        _ = buffer.begin(.found(key: "n", value: bytes("40"), version: 7, isRead: false))
        #expect(buffer.begin(.increment(key: "n", by: 2)) == .none(.success(.number(42))))
        #expect(buffer.effects.reads.isEmpty)
        #expect(buffer.effects.writes == [Effects.KeyWrite("n", .increment(2))])
        #expect(buffer.begin(.get(key: "n")) == .none(.success(.value(bytes("42")))))
        #expect(buffer.effects.reads == [.init(key: "n", version: 7)])
    }

    @Test("a handler does not find another version of a key than it has seen before")
    mutating func foundTwice() throws {
        _ = buffer.found(VersionedValue(value: bytes("1"), version: 7), for: .get(key: "a"))
        let other = StateOperation.found(key: "a", value: [], version: 8, isRead: true)
        guard case .none(.failure(let error)) = buffer.begin(other) else {
            Issue.record("it was taken")
            return
        }
        #expect(error.code == .invalid)
        #expect(buffer.effects.reads == [.init(key: "a", version: 7)])
    }

    @Test("a handler finds no more, no longer keys and no larger values than it may read")
    mutating func foundTooMuch() throws {
        func found(_ key: String, _ size: Int = 1) -> StateOperation {
            .found(key: key, value: [UInt8](repeating: 1, count: size), version: 7, isRead: true)
        }
        for operation in [found(""), found(String(repeating: "k", count: 1025)), found("k", 1 << 20 + 1)] {
            guard case .none(.failure) = buffer.begin(operation) else {
                Issue.record("\(operation) was taken")
                continue
            }
        }
        for number in 0..<EffectsBuffer.maximumReads {
            #expect(buffer.begin(found("k\(number)")) == .none(.success(.done)))
        }
        guard case .none(.failure) = buffer.begin(found("more")) else {
            Issue.record("more was taken")
            return
        }
    }

    @Test("own writes are read without a look-up and without a version")
    mutating func ownWritesAreVisible() {
        #expect(buffer.begin(.set(key: "a", value: bytes("x"))) == .none(.success(.done)))
        #expect(buffer.begin(.get(key: "a")) == .none(.success(.value(bytes("x")))))
        #expect(buffer.begin(.delete(key: "a")) == .none(.success(.done)))
        #expect(buffer.begin(.get(key: "a")) == .none(.success(.value(nil))))
        #expect(buffer.effects.reads.isEmpty)
        #expect(buffer.effects.writes == [Effects.KeyWrite("a", .delete)])
    }

    @Test("increments add up and depend on nothing")
    mutating func incrementsCommute() {
        #expect(buffer.begin(.increment(key: "n", by: 2)) == .value(key: "n"))
        let first = buffer.found(VersionedValue(value: bytes("40"), version: 3), for: .increment(key: "n", by: 2))
        #expect(first == .success(.number(42)))
        #expect(buffer.begin(.increment(key: "n", by: 1)) == .none(.success(.number(43))))
        #expect(buffer.effects.reads.isEmpty)
        #expect(buffer.effects.writes == [Effects.KeyWrite("n", .increment(3))])
    }

    @Test("reading an incremented key sees the sum, and depends on what was stored")
    mutating func readingAfterIncrement() {
        _ = buffer.found(VersionedValue(value: bytes("40"), version: 3), for: .increment(key: "n", by: 2))
        #expect(buffer.begin(.get(key: "n")) == .none(.success(.value(bytes("42")))))
        #expect(buffer.effects.reads == [.init(key: "n", version: 3)])
    }

    @Test("an increment of an own write becomes a write")
    mutating func incrementOfOwnWrite() {
        _ = buffer.begin(.set(key: "n", value: bytes("5")))
        _ = buffer.begin(.increment(key: "n", by: 1))
        let result = buffer.found(nil, for: .increment(key: "n", by: 1))
        #expect(result == .success(.number(6)))
        #expect(buffer.effects.writes == [Effects.KeyWrite("n", .set(bytes("6")))])
    }

    @Test("a value that is no number cannot be incremented", arguments: ["", "x", "1.5", "9223372036854775808"])
    func incrementOfText(text: String) {
        var buffer = buffer
        let result = buffer.found(VersionedValue(value: bytes(text), version: 1), for: .increment(key: "n", by: 1))
        #expect(throws: StateError.self) { try result.get() }
        #expect(buffer.effects.writes.isEmpty)
    }

    @Test("an increment past the range is refused")
    mutating func overflow() {
        let most = VersionedValue(value: bytes("\(Int64.max)"), version: 1)
        let result = buffer.found(most, for: .increment(key: "n", by: 1))
        #expect(throws: StateError.self) { try result.get() }
    }

    @Test("abandoning forgets the writes and remembers the reads")
    mutating func abandonment() {
        _ = buffer.found(VersionedValue(value: bytes("1"), version: 7), for: .get(key: "a"))
        _ = buffer.begin(.set(key: "b", value: bytes("x")))
        buffer.abandonWrites()
        #expect(buffer.effects.writes.isEmpty)
        #expect(buffer.effects.reads == [.init(key: "a", version: 7)])
    }

    @Test("a key whose write was abandoned is as if it had not been written")
    mutating func abandonedKeys() {
        _ = buffer.found(VersionedValue(value: bytes("1"), version: 7), for: .increment(key: "n", by: 1))
        _ = buffer.begin(.set(key: "b", value: bytes("x")))
        buffer.abandonWrites()
        #expect(buffer.begin(.get(key: "b")) == .value(key: "b"))
        #expect(buffer.begin(.increment(key: "n", by: 2)) == .none(.success(.number(3))))
        #expect(buffer.begin(.set(key: "b", value: bytes("y"))) == .none(.success(.done)))
        #expect(
            buffer.effects.writes == [Effects.KeyWrite("n", .increment(2)), Effects.KeyWrite("b", .set(bytes("y")))])
    }

    @Test("each key has one write, the last, however many there are", arguments: [1, 8, 9, 20])
    func manyKeys(count: Int) {
        var buffer = buffer
        let keys = (0..<count).map { "k\($0)" }
        for value in ["1", "2"] {
            for key in keys { _ = buffer.begin(.set(key: key, value: bytes(value))) }
        }
        for key in keys {
            #expect(buffer.begin(.get(key: key)) == .none(.success(.value(bytes("2")))))
            _ = buffer.begin(.delete(key: key))
        }
        #expect(buffer.effects.writes == keys.map { Effects.KeyWrite(StateKey($0), .delete) })
    }

    @Test("a list shows own writes in their places and hides own deletes")
    mutating func listsMergeOwnWrites() throws {
        _ = buffer.begin(.set(key: "k/2", value: bytes("new")))
        _ = buffer.begin(.delete(key: "k/3"))
        _ = buffer.begin(.set(key: "other", value: bytes("no")))
        let list = StateOperation.list(prefix: "k/", after: nil, limit: 3)
        #expect(buffer.begin(list) == .scan(prefix: "k/", after: nil, limit: 5))
        let stored = [entry("k/1", 1), entry("k/3", 2), entry("k/4", 3)]
        let page = try buffer.found(stored, limit: 5, for: list).get()
        #expect(keys(page) == ["k/1", "k/2", "k/4"])
        let scan = try #require(buffer.effects.scans.first)
        #expect(scan.seen.map(\.key) == ["k/1", "k/3", "k/4"])
        #expect(scan.limit == 5)
    }

    @Test("own writes past the last key of a full page wait for their turn")
    mutating func listsStopAtTheirHorizon() throws {
        _ = buffer.begin(.set(key: "k/9", value: bytes("late")))
        let list = StateOperation.list(prefix: "k/", after: nil, limit: 2)
        let page = try buffer.found([entry("k/1", 1), entry("k/2", 2), entry("k/3", 3)], limit: 3, for: list).get()
        #expect(keys(page) == ["k/1", "k/2"])
    }

    @Test("a list begins after the given key")
    mutating func listsBeginAfter() throws {
        _ = buffer.begin(.set(key: "k/1", value: bytes("before")))
        let list = StateOperation.list(prefix: "k/", after: "k/1", limit: 10)
        let page = try buffer.found([entry("k/2", 2)], limit: 11, for: list).get()
        #expect(keys(page) == ["k/2"])
    }

    @Test("a list that grows too long is cut and says that there is more")
    mutating func longListsAreCut() throws {
        let large = [UInt8](repeating: 0, count: 1 << 20)
        let stored = (0..<6).map { VersionedEntry(key: "k/\($0)", value: large, version: 1) }
        let page = try buffer.found(stored, limit: 10, for: .list(prefix: "k/", after: nil, limit: 10)).get()
        guard case .entries(let entries, let more) = page else { return #expect(Bool(false), "\(page)") }
        #expect(more)
        #expect(entries.count == 3)
    }

    @Test("what lies behind a cut is not depended on, and own writes there wait for their turn")
    mutating func cutListsDependOnWhatTheySaw() throws {
        _ = buffer.begin(.set(key: "k/5", value: bytes("late")))
        let large = [UInt8](repeating: 0, count: 1 << 20)
        let stored = (0..<4).map { VersionedEntry(key: "k/\($0)", value: large, version: 1) }
        let page = try buffer.found(stored, limit: 11, for: .list(prefix: "k/", after: nil, limit: 10)).get()
        #expect(keys(page) == ["k/0", "k/1", "k/2"])
        #expect(buffer.effects.scans.map(\.limit) == [4])
    }

    @Test("canonically equivalent keys are two keys")
    mutating func equivalentKeys() throws {
        let (composed, decomposed) = ("k/\u{E9}", "k/e\u{301}")
        _ = buffer.found(VersionedValue(value: bytes("1"), version: 7), for: .get(key: composed))
        #expect(buffer.begin(.get(key: decomposed)) == .value(key: decomposed))
        _ = buffer.begin(.set(key: composed, value: bytes("x")))
        _ = buffer.begin(.set(key: decomposed, value: bytes("y")))
        #expect(buffer.effects.writes.count == 2)
        let list = StateOperation.list(prefix: "k/", after: nil, limit: 9)
        let page = try buffer.found([entry(decomposed, 1), entry(composed, 2)], limit: 11, for: list).get()
        guard case .entries(let entries, _) = page else { return #expect(Bool(false), "\(page)") }
        #expect(entries.map(\.value) == [bytes("y"), bytes("x")])
    }

    @Test("one invocation reads a bounded number of keys, those that it knows as often as it likes")
    mutating func readsAreBounded() throws {
        for number in 0..<EffectsBuffer.maximumReads {
            _ = try buffer.found(nil, for: .get(key: "k\(number)")).get()
        }
        #expect(throws: StateError.self) { try buffer.found(nil, for: .get(key: "more")).get() }
        #expect(throws: StateError.self) { try buffer.found(nil, for: .increment(key: "more", by: 1)).get() }
        let list = StateOperation.list(prefix: "", after: nil, limit: 1)
        #expect(throws: StateError.self) { try buffer.found([], limit: 1, for: list).get() }
        #expect(buffer.begin(.get(key: "k7")) == .none(.success(.value(nil))))
        #expect(buffer.effects.reads.count == EffectsBuffer.maximumReads && buffer.effects.writes.isEmpty)
    }

    @Test("one invocation remembers a bounded amount")
    mutating func remembranceIsBounded() throws {
        let large = VersionedValue(value: [UInt8](repeating: 0, count: 1 << 20), version: 1)
        for number in 0..<63 { _ = try buffer.found(large, for: .get(key: "k\(number)")).get() }
        #expect(throws: StateError.self) {
            for number in 63..<65 { _ = try buffer.found(large, for: .get(key: "k\(number)")).get() }
        }
    }

    @Test(
        "keys and values out of bounds are refused",
        arguments: [
            StateOperation.get(key: ""), .delete(key: String(repeating: "k", count: 1025)),
            .list(prefix: "", after: nil, limit: 0),
        ])
    func bounds(operation: StateOperation) {
        var buffer = buffer
        guard case .none(.failure(let error)) = buffer.begin(operation) else {
            return #expect(Bool(false), "\(operation) was taken")
        }
        #expect(error.code == .invalid)
        #expect(buffer.isEmpty)
    }

    @Test("a value over 1 MiB is refused")
    mutating func largeValues() {
        let result = buffer.begin(.set(key: "k", value: [UInt8](repeating: 0, count: (1 << 20) + 1)))
        let error = StateError(.invalid, "a value of 1048577 bytes; the most is 1048576")
        #expect(result == .none(.failure(error)))
    }

    @Test("one invocation writes a bounded amount")
    mutating func writtenIsBounded() {
        let large = [UInt8](repeating: 0, count: 1 << 20)
        let results = (0..<17).map { buffer.begin(.set(key: "k\($0)", value: large)) }
        #expect(results.first == .none(.success(.done)))
        #expect(results.last != .none(.success(.done)))
    }

    @Test("a write that is refused takes nothing of that amount")
    mutating func refusedWrites() {
        let large = [UInt8](repeating: 0, count: 1 << 20)
        for number in 0..<15 { _ = buffer.begin(.set(key: "k\(number)", value: large)) }
        #expect(buffer.begin(.set(key: "large", value: large)) != .none(.success(.done)))
        #expect(buffer.begin(.set(key: "small", value: bytes("x"))) == .none(.success(.done)))
    }

    @Test("a message that is refused takes nothing of that amount")
    mutating func refusedMessages() {
        let refusal = buffer.send([message(bytes: EffectsBuffer.maximumWritten)])
        #expect(throws: StateError.self) { try refusal.get() }
        #expect(buffer.send([message(bytes: 1)]) == .success(.done))
        #expect(buffer.begin(.set(key: "small", value: bytes("x"))) == .none(.success(.done)))
    }

    private func message(bytes count: Int) -> NewInvocation {
        let time = WallTime(milliseconds: 0)
        let event = Event(id: "1", source: "/s", type: "t", time: time, data: [UInt8](repeating: 0, count: count))
        return NewInvocation(function: "f", kind: .timer, trigger: "f/timer/0", event: event, due: time)
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func entry(_ key: String, _ version: Int64) -> VersionedEntry {
        VersionedEntry(key: key, value: [], version: version)
    }

    private func keys(_ result: StateResult) -> [String] {
        if case .entries(let entries, _) = result { entries.map(\.key) } else { [] }
    }
}
