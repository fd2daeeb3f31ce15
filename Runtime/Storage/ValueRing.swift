import Events

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Values of keys in a ring of bytes, where new ones overwrite the oldest, and an index of it.
///
/// A hundred thousand of them are no objects to allocate, to count the owners of and to free.
struct ValueRing: ~Copyable {
    /// In bytes, with key and namespace. A longer one would drive out too many others.
    static let longest = 16 << 10

    /// What is in the ring before each namespace, key and value.
    private struct Head {
        var hash: Int
        var version: Int64
        var namespace: Int32
        var key: Int32
        var value: Int32
        /// What the value may grow to where it is.
        var room: Int32
    }

    /// A key, for as long as its bytes stay where they are.
    private struct Name {
        var namespace: UnsafeRawBufferPointer
        var key: UnsafeRawBufferPointer
        var hash: Int
    }

    /// Where a value may be in the index: one of so many places, by its hash.
    private static let ways = 4
    /// What most values take at least, with all.
    private static let usual = 64

    private let capacity: Int
    private let bytes: UnsafeMutableRawPointer
    /// Where a value begins: its position among all bytes that were ever written, plus 1; 0 where there is none.
    private let index: UnsafeMutablePointer<Int>
    private let groups: Int
    /// Bytes that were ever written.
    private var end = 0

    /// - Parameter capacity: bytes; a power of two, and many times `longest`.
    init(bytes capacity: Int) {
        self.capacity = capacity
        // Memory that the system gives only as it is written; as everywhere, a process that gets none ends.
        bytes = calloc(capacity, 1)!
        groups = 2 * capacity / Self.usual / Self.ways
        index = calloc(groups * Self.ways, MemoryLayout<Int>.stride)!.assumingMemoryBound(to: Int.self)
    }

    deinit {
        free(bytes)
        free(index)
    }

    func value(of key: StateKey, in namespace: String) -> VersionedValue? {
        Self.withName(of: key, in: namespace) { name in
            guard let position = place(of: name)?.pointee else { return nil }
            let head = head(at: position)
            let value = content(of: head, at: position).prefix(Int(head.value))
            return VersionedValue(value: Array(value), version: head.version)
        }
    }

    mutating func set(_ value: [UInt8], version: Int64, of key: StateKey, in namespace: String) {
        Self.withName(of: key, in: namespace) { name in
            if let position = place(of: name)?.pointee, value.count <= head(at: position).room {
                return replace(value, version: version, at: position)
            }
            remove(name)
            // Rounded up, so that a head is where a processor wants it.
            let size = (MemoryLayout<Head>.size + name.namespace.count + name.key.count + value.count + 7) & ~7
            guard size <= Self.longest else { return }
            let position = write(value, version: version, of: name, size: size)
            oldestPlace(for: name).pointee = position
        }
    }

    mutating func remove(_ key: StateKey, in namespace: String) {
        Self.withName(of: key, in: namespace) { remove($0) }
    }

    private func remove(_ name: Name) { place(of: name)?.pointee = 0 }
}

extension ValueRing {
    private static func withName<Result>(
        of key: StateKey, in namespace: String, _ body: (Name) -> Result
    ) -> Result {
        var (namespace, key) = (namespace, key.text)
        return namespace.withUTF8 { namespace in
            key.withUTF8 { key in
                let (namespace, key) = (UnsafeRawBufferPointer(namespace), UnsafeRawBufferPointer(key))
                var hasher = Hasher()
                // Where it ends counts, too.
                hasher.combine(namespace.count)
                hasher.combine(bytes: namespace)
                hasher.combine(bytes: key)
                return body(Name(namespace: namespace, key: key, hash: hasher.finalize()))
            }
        }
    }
}

// MARK: - The index

extension ValueRing {
    private func group(of name: Name) -> UnsafeMutablePointer<Int> {
        index + Int(UInt(bitPattern: name.hash) % UInt(groups)) * Self.ways
    }

    /// The place of a value that is still in the ring.
    private func place(of name: Name) -> UnsafeMutablePointer<Int>? {
        let group = group(of: name)
        for place in group..<group + Self.ways where isThere(place.pointee) && isValue(of: name, at: place.pointee) {
            return place
        }
        return nil
    }

    /// The place of what is gone, or went into the ring first.
    private func oldestPlace(for name: Name) -> UnsafeMutablePointer<Int> {
        let group = group(of: name)
        return (1..<Self.ways).reduce(into: group) { oldest, way in
            if group[way] < oldest.pointee { oldest = group + way }
        }
    }
}

// MARK: - The ring

extension ValueRing {
    private func isThere(_ position: Int) -> Bool { position != 0 && position - 1 + capacity >= end }

    private func start(of position: Int) -> UnsafeMutableRawPointer { bytes + (position - 1) % capacity }

    private func head(at position: Int) -> Head { start(of: position).load(as: Head.self) }

    private func isValue(of name: Name, at position: Int) -> Bool {
        let head = head(at: position)
        guard head.hash == name.hash, head.namespace == name.namespace.count, head.key == name.key.count else {
            return false
        }
        let start = start(of: position) + MemoryLayout<Head>.size
        return name.namespace.isEqual(to: start) && name.key.isEqual(to: start + name.namespace.count)
    }

    /// The memory of a value.
    private func content(of head: Head, at position: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: start(of: position) + MemoryLayout<Head>.size + Int(head.namespace) + Int(head.key),
            count: Int(head.room))
    }

    /// Where so many bytes are free now, in one piece.
    private mutating func room(for size: Int) -> Int {
        let rest = capacity - end % capacity
        if rest < size { end += rest }
        defer { end += size }
        return end + 1
    }

    private mutating func write(_ value: [UInt8], version: Int64, of name: Name, size: Int) -> Int {
        let position = room(for: size)
        let names = name.namespace.count + name.key.count
        let head = Head(
            hash: name.hash, version: version, namespace: Int32(name.namespace.count), key: Int32(name.key.count),
            value: Int32(value.count), room: Int32(size - MemoryLayout<Head>.size - names))
        var start = start(of: position)
        start.storeBytes(of: head, as: Head.self)
        start += MemoryLayout<Head>.size
        start.copy(name.namespace)
        (start + name.namespace.count).copy(name.key)
        content(of: head, at: position).copyBytes(from: value)
        return position
    }

    private func replace(_ value: [UInt8], version: Int64, at position: Int) {
        var head = head(at: position)
        head.version = version
        head.value = Int32(value.count)
        start(of: position).storeBytes(of: head, as: Head.self)
        content(of: head, at: position).copyBytes(from: value)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func isEqual(to start: UnsafeRawPointer) -> Bool { isEmpty || memcmp(baseAddress!, start, count) == 0 }
}

extension UnsafeMutableRawPointer {
    fileprivate func copy(_ bytes: UnsafeRawBufferPointer) {
        if !bytes.isEmpty { copyMemory(from: bytes.baseAddress!, byteCount: bytes.count) }
    }
}
