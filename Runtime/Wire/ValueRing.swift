import Glibc
import Synchronization

/// Values of keys in a ring of bytes, where new ones overwrite the oldest, and an index of it, in memory from which other
/// processes may read: as `SharedValues`. To be changed by one thread at a time.
///
/// A hundred thousand of them are no objects to allocate, to count the owners of and to free.
package final class ValueRing: @unchecked Sendable {
    // `@unchecked`: of whoever changes it, one thread does so at a time.

    /// For reading.
    package let values: SharedValues
    /// Of the memory, for processes that may read it; `nil` where the system gives none that can be shared.
    package let descriptor: CInt?
    private let used = Atomic(true)
    private var end = 0

    /// - Parameter capacity: bytes; a power of two, and many times `SharedValues.longest`. The system gives memory only as it
    ///   is written.
    package init(bytes capacity: Int) throws(WireError) {
        let size = SharedValues.size(for: capacity)
        guard let shared = try? Mapping.make(size: size, for: .reading) else {
            descriptor = nil
            values = try SharedValues(Mapping(size: size))
            return
        }
        descriptor = shared.descriptor
        values = try SharedValues(shared.mapping)
    }

    deinit { if let descriptor { close(descriptor) } }

    /// Somebody uses it. On any thread.
    package func noteUse() { used.store(true, ordering: .relaxed) }

    /// Whether somebody has used it since this was last asked.
    package func takeUse() -> Bool { used.exchange(false, ordering: .relaxed) }

    package func set(_ value: [UInt8], version: Int64, of key: String) {
        values.withKey(key) { key, hash in
            if let (_, position) = values.place(of: key, hash), value.count <= values.head(at: position).room {
                return replace(value, version: version, at: position)
            }
            values.place(of: key, hash)?.0.pointee.store(0, ordering: .releasing)
            // Rounded up, so that a head is where a processor wants it.
            let size = (MemoryLayout<SharedValues.Head>.size + key.count + value.count + 7) & ~7
            guard size <= SharedValues.longest else { return }
            let position = write(value, version: version, of: key, hash, size: size)
            oldestPlace(for: hash).pointee.store(position, ordering: .releasing)
        }
    }

    /// Nobody finds it from here on. It keeps its place for the next value.
    package func remove(_ key: String) {
        values.withKey(key) { key, hash in
            guard let (_, position) = values.place(of: key, hash) else { return }
            let sequence = values.sequence(at: position)
            sequence.pointee.store(sequence.pointee.load(ordering: .relaxed) | 1, ordering: .releasing)
        }
    }

    /// Nobody finds anything from here on, also who has mapped it; to be called when no more is to be set.
    package func clear() { advance(to: .max / 2) }

    /// The place of what is gone, or went into the ring first.
    private func oldestPlace(for hash: UInt64) -> SharedValues.Place {
        let group = values.group(of: hash)
        func position(_ place: SharedValues.Place) -> Int { place.pointee.load(ordering: .relaxed) }
        return (1..<SharedValues.ways).reduce(into: group) { oldest, way in
            if position(group + way) < position(oldest) { oldest = group + way }
        }
    }

    /// Where so many bytes are free now, in one piece.
    private func room(for size: Int) -> Int {
        let rest = values.capacity - end & (values.capacity - 1)
        let start = rest < size ? end + rest : end
        advance(to: start + size)
        return start + 1
    }

    /// Who reads sees it before he sees anything that is written from here on.
    private func advance(to end: Int) {
        self.end = end
        UnsafeMutablePointer(mutating: values.end).pointee.store(end, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
    }

    private func write(
        _ value: [UInt8], version: Int64, of key: UnsafeRawBufferPointer, _ hash: UInt64, size: Int
    ) -> Int {
        let position = room(for: size)
        let room = size - MemoryLayout<SharedValues.Head>.size - key.count
        values.start(of: position).storeBytes(
            of: SharedValues.Head(
                hash: hash, version: version, sequence: 0, key: UInt32(key.count), value: UInt32(value.count),
                room: UInt32(room)), as: SharedValues.Head.self)
        values.content(at: position, after: 0, count: key.count).copyMemory(from: key)
        values.content(at: position, after: key.count, count: room).copyBytes(from: value)
        return position
    }

    private func replace(_ value: [UInt8], version: Int64, at position: Int) {
        var head = values.head(at: position)
        let sequence = values.sequence(at: position)
        // As it is already, if it was removed.
        head.sequence |= 1
        sequence.pointee.store(head.sequence, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        head.version = version
        head.value = UInt32(value.count)
        values.start(of: position).storeBytes(of: head, as: SharedValues.Head.self)
        values.content(at: position, after: Int(head.key), count: Int(head.room)).copyBytes(from: value)
        sequence.pointee.store(head.sequence &+ 1, ordering: .releasing)
    }
}
