import Glibc
import Synchronization

/// Values of keys in memory that a `ValueRing` fills, to be read without asking anybody: `docs/worker-protocol.md`, "Values in
/// memory".
///
/// Any thread of any process may read while one writes. What changes meanwhile is not found.
package final class SharedValues: @unchecked Sendable {
    // `@unchecked`: constants, and memory whose words are atomic; what else was read there counts only if they say so.

    /// What stands before a key and its value.
    struct Head {
        var hash: UInt64
        var version: Int64
        /// Odd while the value changes, or there is none. An `Atomic` where it lies.
        var sequence: UInt32
        var key: UInt32
        var value: UInt32
        /// What the value may grow to where it is.
        var room: UInt32
    }

    /// Where a value may be in the index: one of so many places, by its hash.
    static let ways = 4
    /// What most values take at least, with all.
    private static let usual = 64
    /// In bytes, with key and head. A longer one would drive out too many others.
    package static let longest = 16 << 10
    /// Bytes before the index.
    private static let header = 64

    let mapping: Mapping
    /// Bytes of memory.
    package var size: Int { mapping.size }
    /// Bytes of the ring; a power of two.
    let capacity: Int
    /// Bytes that were ever written to the ring.
    let end: UnsafePointer<Atomic<Int>>
    /// Where a value begins: its position among all bytes that were ever written, plus 1; 0 where there is none.
    private let index: UnsafeMutablePointer<Atomic<Int>>
    private let groups: Int
    private let bytes: UnsafeMutableRawPointer

    /// - Parameter mapping: of the size for some capacity.
    package init(_ mapping: Mapping) throws(WireError) {
        capacity = (mapping.size - Self.header) / 5 * 4
        guard capacity > Self.longest, capacity.nonzeroBitCount == 1, mapping.size == Self.size(for: capacity) else {
            throw WireError("\(mapping.size) bytes of shared memory, which is no size for values")
        }
        self.mapping = mapping
        end = UnsafePointer(mapping.start.assumingMemoryBound(to: Atomic<Int>.self))
        let places = capacity / Self.usual * 2
        index = (mapping.start + Self.header).assumingMemoryBound(to: Atomic<Int>.self)
        groups = places / Self.ways
        bytes = mapping.start + Self.header + places * MemoryLayout<Int>.stride
    }

    /// Bytes of memory for a ring of `capacity` bytes: an index beside it, of two places for each usual value.
    static func size(for capacity: Int) -> Int {
        header + capacity / usual * 2 * MemoryLayout<Int>.stride + capacity
    }

    /// The value of `key` and its version. `nil`: it is not here, or just changes.
    package func value(of key: String) -> (value: [UInt8], version: Int64)? {
        withKey(key) { key, hash in
            guard let (_, position) = place(of: key, hash) else { return nil }
            let head = head(at: position)
            guard head.sequence.isMultiple(of: 2), isPossible(head, of: key, at: position) else { return nil }
            let value = Array(content(at: position, after: key.count, count: Int(head.value)))
            // If any of that was written since it was looked for, one of these two says so.
            atomicMemoryFence(ordering: .acquiring)
            guard sequence(at: position).pointee.load(ordering: .relaxed) == head.sequence, isThere(position) else {
                return nil
            }
            return (value, head.version)
        }
    }

    // MARK: The index

    typealias Place = UnsafeMutablePointer<Atomic<Int>>

    func group(of hash: UInt64) -> Place { index + Int(hash % UInt64(groups)) * Self.ways }

    /// The place in the index of a value that is still in the ring, and where that begins.
    func place(of key: UnsafeRawBufferPointer, _ hash: UInt64) -> (Place, position: Int)? {
        let group = group(of: hash)
        for place in group..<group + Self.ways {
            let position = place.pointee.load(ordering: .acquiring)
            if isThere(position), isValue(of: key, hash, at: position) { return (place, position) }
        }
        return nil
    }

    func withKey<Result>(
        _ key: String, _ body: (UnsafeRawBufferPointer, _ hash: UInt64) -> Result
    ) -> Result {
        var key = key
        return key.withUTF8 { key in
            // FNV-1a. Keys that have the same are not found less often than with any other: they drive each other out.
            let hash = key.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            return body(UnsafeRawBufferPointer(key), hash)
        }
    }

    // MARK: The ring

    func isThere(_ position: Int) -> Bool {
        position > 0 && position - 1 + capacity >= end.pointee.load(ordering: .relaxed)
    }

    func start(of position: Int) -> UnsafeMutableRawPointer { bytes + (position - 1) & (capacity - 1) }

    /// What is there, which may be changing.
    func head(at position: Int) -> Head {
        let sequence = sequence(at: position).pointee.load(ordering: .acquiring)
        var head = start(of: position).load(as: Head.self)
        head.sequence = sequence
        return head
    }

    func sequence(at position: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        (start(of: position) + MemoryLayout<Head>.offset(of: \.sequence)!).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    func content(at position: Int, after key: Int, count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: start(of: position) + MemoryLayout<Head>.size + key, count: count)
    }

    private func isValue(of key: UnsafeRawBufferPointer, _ hash: UInt64, at position: Int) -> Bool {
        // A place says where a value begins, so that there is room for a head.
        let head = head(at: position)
        guard head.hash == hash, isPossible(head, of: key, at: position) else { return false }
        return key.isEmpty || memcmp(start(of: position) + MemoryLayout<Head>.size, key.baseAddress!, key.count) == 0
    }

    /// Of one that may be overwritten just now: nothing is read outside of the memory because of it.
    private func isPossible(_ head: Head, of key: UnsafeRawBufferPointer, at position: Int) -> Bool {
        let size = MemoryLayout<Head>.size + key.count + Int(head.value)
        return Int(head.key) == key.count && (position - 1) & (capacity - 1) + size <= capacity
    }
}
