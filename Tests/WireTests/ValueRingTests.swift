import Foundation
import Support
import Synchronization
import Testing

@testable import Wire

@Suite("Ring of values", .timeLimit(.minutes(2)))
struct ValueRingTests {
    private static let capacity = 64 << 10

    private let ring: ValueRing
    private let descriptor: CInt
    /// As another process has it.
    private let values: SharedValues

    init() throws {
        ring = try ValueRing(bytes: Self.capacity)
        descriptor = try #require(ring.descriptor)
        values = try SharedValues(Mapping(descriptor, .reading))
    }

    private func value(_ count: Int, _ byte: UInt8 = 7) -> [UInt8] { [UInt8](repeating: byte, count: count) }

    /// What both sides find, which is the same.
    private func found(_ key: String, sourceLocation: SourceLocation = #_sourceLocation) -> Found? {
        let (own, other) = (ring.values.value(of: key).map(Found.init), values.value(of: key).map(Found.init))
        #expect(own == other, sourceLocation: sourceLocation)
        return other
    }

    private struct Found: Equatable {
        var value: [UInt8]
        var version: Int64
    }

    @Test("a value is found with its version until it is replaced or removed")
    func lastValue() {
        #expect(found("a") == nil)
        // Longer and shorter ones, and none at all.
        for (version, size) in [3, 900, 2, 0, 16, 17, 5000].enumerated() {
            ring.set(value(size), version: Int64(version + 1), of: "a")
            #expect(found("a") == Found(value: value(size), version: Int64(version + 1)))
        }
        ring.remove("a")
        ring.remove("b")
        #expect(found("a") == nil)
        // In its old place, and in another.
        for size in [5000, 6000] {
            ring.set(value(size), version: 9, of: "a")
            #expect(found("a") == Found(value: value(size), version: 9))
            ring.remove("a")
            #expect(found("a") == nil)
        }
    }

    @Test("keys whose characters are equal, and their bytes not, are others")
    func names() {
        let keys = ["abc", "ab", "", "abc\0", "\u{E9}", "e\u{301}"]
        for (index, key) in keys.enumerated() { ring.set([UInt8(index)], version: 1, of: key) }
        for (index, key) in keys.enumerated() { #expect(found(key)?.value == [UInt8(index)]) }
    }

    @Test("one that is too long is not taken, and what was there before is gone")
    func tooLong() {
        ring.set([1], version: 1, of: "a")
        ring.set(value(SharedValues.longest), version: 2, of: "a")
        #expect(found("a") == nil)
        ring.set(value(SharedValues.longest - 64), version: 3, of: "a")
        #expect(found("a")?.version == 3)
    }

    @Test("new ones overwrite the oldest")
    func overwriting() {
        for index in 0..<1000 { ring.set(value(500), version: Int64(index + 1), of: "key \(index)") }
        let there = (0..<1000).filter { found("key \($0)") != nil }
        #expect(there.last == 999 && (100...120).contains(there.count))
        // The last ones, but for some that share four places of the index with four others, which is rare.
        #expect(there[0] >= 880 && 1000 - there[0] - there.count <= 2)
    }

    @Test("whatever is found is what was set last", arguments: [1, 2, 3])
    func model(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var model: [Int: Found] = [:]
        var hits = 0
        for step in 1...30_000 {
            let number = Int(random.next() % 2000)
            let key = "key \(number)"
            switch random.next() % 10 {
            case 0..<4:
                let size = random.next() % 100 == 0 ? 9000 : Int(random.next() % 60)
                let new = Found(value: value(size, UInt8(truncatingIfNeeded: step)), version: Int64(step))
                ring.set(new.value, version: new.version, of: key)
                #expect(found(key) == new)
                model[number] = new
            case 4:
                ring.remove(key)
                model[number] = nil
            default:
                guard let found = found(key) else { continue }
                hits += 1
                #expect(found == model[number], "step \(step)")
            }
        }
        #expect(hits > 1000)
    }

    @Test("once it is cleared nobody finds anything")
    func cleared() {
        ring.set([1], version: 1, of: "a")
        ring.clear()
        #expect(found("a") == nil)
    }

    @Test("tells whether it was used since it was asked")
    func use() {
        #expect(ring.takeUse())
        #expect(!ring.takeUse())
        ring.noteUse()
        #expect(ring.takeUse())
    }

    // MARK: Beside others

    /// How the values change beside which others read.
    enum Change: CaseIterable {
        /// In place, where they fit, or elsewhere.
        case replacement
        /// By others that begin just where they did.
        case overwriting
    }

    @Test(
        "who reads while another writes finds a value whole, and none that is older than the last that he has found",
        arguments: Change.allCases)
    func whole(_ change: Change) async throws {
        // So many that some change just when they are read.
        let keys = (100..<300).map { "key \($0)" }
        let descriptor = descriptor
        let progress = Progress()
        async let first = thread { try Self.read(keys, descriptor: descriptor, until: progress) }
        async let second = thread { try Self.read(keys, descriptor: descriptor, until: progress) }
        let ring = ring
        try await thread {
            var random = SplitMix(seed: 3)
            for version in 1...200_000 {
                let key = keys[Int(random.next() % UInt64(keys.count))]
                // With its head 2,048 bytes in one case, so that 32 of them are the whole ring.
                let size = change == .replacement ? Int(random.next() % 700) : 2009
                if random.next() % 20 == 0 { ring.remove(key) }
                ring.set(Self.pattern(version, size: size), version: Int64(version), of: key)
            }
            progress.isOver.store(true, ordering: .relaxed)
        }
        let found = try await (first, second)
        #expect(found.0 > 0 && found.1 > 0)
    }

    private final class Progress: Sendable {
        let isOver = Atomic(false)
    }

    /// Returns how many values it has found.
    private static func read(_ keys: [String], descriptor: CInt, until progress: Progress) throws -> Int {
        let values = try SharedValues(Mapping(descriptor, .reading))
        var last = [Int64](repeating: 0, count: keys.count)
        var count = 0
        while !progress.isOver.load(ordering: .relaxed) || count == 0 {
            for (index, key) in keys.enumerated() {
                guard let (value, version) = values.value(of: key) else { continue }
                guard version >= last[index], value == pattern(Int(version), size: value.count) else {
                    throw Mixed(key: key, value: value, version: version, last: last[index])
                }
                (last[index], count) = (version, count + 1)
            }
        }
        return count
    }

    private struct Mixed: Error {
        var key: String
        var value: [UInt8]
        var version: Int64
        var last: Int64
    }

    private static func pattern(_ version: Int, size: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: version), count: size)
    }

    @Test("who has its descriptor can neither write into it nor change its size")
    func sealed() throws {
        #expect(throws: WireError.self) { try Mapping(descriptor) }
        #expect(ftruncate(descriptor, 0) == -1 && ftruncate(descriptor, 1 << 20) == -1)
        #expect(pwrite(descriptor, [1], 1, 0) == -1)
        #expect(mprotect(values.mapping.start, 4096, PROT_READ | PROT_WRITE) == -1)
    }

    @Test("memory of a size that no ring has is refused", arguments: [0, 64, 4096, 5 * 4096 + 64, 1 << 20])
    func otherSize(size: Int) throws {
        #expect(throws: WireError.self) {
            let (mapping, descriptor) = try Mapping.make(size: size, for: .reading)
            defer { close(descriptor) }
            _ = try SharedValues(mapping)
        }
    }
}
