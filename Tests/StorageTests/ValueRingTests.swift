import Events
import Testing

@testable import Storage

@Suite("Ring of values")
struct ValueRingTests {
    private static let capacity = 64 << 10

    private func value(_ count: Int, _ byte: UInt8 = 7) -> [UInt8] { [UInt8](repeating: byte, count: count) }

    @Test("a value is found with its version until it is replaced or removed")
    func values() {
        var ring = ValueRing(bytes: Self.capacity)
        #expect(ring.value(of: "a", in: "n") == nil)
        // Longer and shorter ones, and none at all.
        for (version, size) in [3, 900, 2, 0, 16, 17, 5000].enumerated() {
            ring.set(value(size), version: Int64(version + 1), of: "a", in: "n")
            #expect(ring.value(of: "a", in: "n") == VersionedValue(value: value(size), version: Int64(version + 1)))
        }
        ring.remove("a", in: "n")
        ring.remove("b", in: "n")
        #expect(ring.value(of: "a", in: "n") == nil)
    }

    @Test("keys and namespaces that only together are equal, or whose characters are, are others")
    func names() {
        var ring = ValueRing(bytes: Self.capacity)
        let names: [(namespace: String, key: StateKey)] = [
            ("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("n", "\u{E9}"), ("n", "e\u{301}"),
        ]
        for (index, name) in names.enumerated() {
            ring.set([UInt8(index)], version: 1, of: name.key, in: name.namespace)
        }
        for (index, name) in names.enumerated() {
            #expect(ring.value(of: name.key, in: name.namespace)?.value == [UInt8(index)])
        }
    }

    @Test("one that is too long is not taken, and what was there before is gone")
    func tooLong() {
        var ring = ValueRing(bytes: Self.capacity)
        ring.set([1], version: 1, of: "a", in: "n")
        ring.set(value(ValueRing.longest), version: 2, of: "a", in: "n")
        #expect(ring.value(of: "a", in: "n") == nil)
        ring.set(value(ValueRing.longest - 64), version: 3, of: "a", in: "n")
        #expect(ring.value(of: "a", in: "n")?.version == 3)
    }

    @Test("new ones overwrite the oldest")
    func overwriting() {
        var ring = ValueRing(bytes: Self.capacity)
        for index in 0..<1000 { ring.set(value(500), version: Int64(index + 1), of: "key \(index)", in: "n") }
        let found = (0..<1000).filter { ring.value(of: "key \($0)", in: "n") != nil }
        #expect(found.last == 999 && (100...120).contains(found.count))
        // The last ones, but for some that share four places of the index with four others, which is rare.
        #expect(found[0] >= 880 && 1000 - found[0] - found.count <= 2)
    }

    @Test("whatever is found is what was set last", arguments: [1, 2, 3])
    func model(seed: UInt64) {
        var random = SplitMix(state: seed)
        var ring = ValueRing(bytes: Self.capacity)
        var model: [Int: VersionedValue] = [:]
        var hits = 0
        for step in 1...30_000 {
            let number = Int.random(in: 0..<2000, using: &random)
            let (key, namespace) = (StateKey("key \(number / 2)"), number.isMultiple(of: 2) ? "even" : "odd")
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                let size = Int.random(in: 0..<100, using: &random) == 0 ? 9000 : Int.random(in: 0..<60, using: &random)
                let new = VersionedValue(value: value(size, UInt8(truncatingIfNeeded: step)), version: Int64(step))
                ring.set(new.value, version: new.version, of: key, in: namespace)
                #expect(ring.value(of: key, in: namespace) == new)
                model[number] = new
            case 4:
                ring.remove(key, in: namespace)
                model[number] = nil
            default:
                guard let found = ring.value(of: key, in: namespace) else { continue }
                hits += 1
                #expect(found == model[number], "step \(step)")
            }
        }
        #expect(hits > 1000)
    }
}
