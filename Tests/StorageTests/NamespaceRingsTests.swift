import Events
import Synchronization
import Testing
import Wire

@testable import Storage

@Suite("Rings of namespaces")
struct NamespaceRingsTests {
    /// A clock that goes when it is told to.
    private final class Clock: Sendable {
        private let seconds = Atomic<Int64>(0)

        var now: SteadyTime { SteadyTime(nanoseconds: seconds.load(ordering: .relaxed) * 1_000_000_000) }

        func advance(_ count: Int64) { seconds.wrappingAdd(count, ordering: .relaxed) }
    }

    private let clock = Clock()
    private var rings: NamespaceRings

    init() { rings = NamespaceRings(most: 2, size: 64 << 10, patience: .seconds(10)) { [clock] in clock.now } }

    private mutating func made(_ namespace: String) throws -> ValueRing {
        let ring = rings.ring(for: namespace)
        return try #require(ring)
    }

    @Test("each namespace has its own, which stays")
    mutating func own() throws {
        let first = try made("a")
        let second = try made("b")
        #expect(first !== second)
        #expect(rings.ring(for: "a") === first && rings["b"] === second)
        first.set([1], version: 1, of: "key")
        #expect(second.values.value(of: "key") == nil)
        #expect(rings["c"] == nil)
    }

    @Test("another namespace gets one in place of one that nobody has used for long, in which nothing is found then")
    mutating func replacement() throws {
        let first = try made("a")
        let second = try made("b")
        first.set([1], version: 1, of: "key")
        second.set([1], version: 1, of: "key")
        #expect(rings.ring(for: "c") == nil)
        clock.advance(10)
        // Both were used just before.
        #expect(rings.ring(for: "c") == nil)
        second.noteUse()
        clock.advance(9)
        #expect(rings.ring(for: "c") == nil)
        clock.advance(1)
        #expect(rings.ring(for: "c") != nil)
        #expect(rings["a"] == nil && rings["b"] === second)
        #expect(first.values.value(of: "key") == nil && second.values.value(of: "key") != nil)
    }

    @Test("none stays where all are in use")
    mutating func allInUse() throws {
        for namespace in ["a", "b"] { _ = rings.ring(for: namespace) }
        for _ in 0..<3 {
            clock.advance(10)
            for namespace in ["a", "b"] { #expect(rings.ring(for: namespace) != nil) }
            #expect(rings.ring(for: "c") == nil)
        }
    }

    @Test("nothing is found in any of them once all are removed")
    mutating func removal() throws {
        let ring = try made("a")
        ring.set([1], version: 1, of: "key")
        rings.removeAll()
        #expect(rings["a"] == nil && ring.values.value(of: "key") == nil)
    }
}
