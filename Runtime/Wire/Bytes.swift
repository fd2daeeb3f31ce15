/// What does not follow `docs/worker-protocol.md`.
package struct WireError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Appends little-endian integers and length-prefixed strings to bytes that go out as one.
package struct ByteWriter: ~Copyable, @unchecked Sendable {
    // `@unchecked`: the memory belongs to this value alone, which cannot be copied and frees it at its end.
    private var storage: UnsafeMutableRawBufferPointer
    /// Where what has been written and not removed begins in `storage`.
    private var start = 0
    /// Bytes that have been written and not removed.
    package private(set) var count = 0

    package init(reserving capacity: Int = 256) {
        storage = .allocate(byteCount: capacity, alignment: MemoryLayout<UInt64>.alignment)
    }

    deinit { storage.deallocate() }

    /// What has been written.
    package var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// Gives what has been written to `body`, which must not keep it.
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(rebasing: storage[start..<start + count]))
    }

    /// Forgets the first bytes, and what memory it has beyond `capacity` once nothing is left.
    package mutating func removeFirst(_ removed: Int, keeping capacity: Int) {
        count -= removed
        start = count > 0 ? start + removed : 0
        if count == 0, storage.count > capacity { self = ByteWriter() }
    }

    @inline(__always)
    package mutating func write<Number: FixedWidthInteger>(_ number: Number) {
        let offset = add(MemoryLayout<Number>.size)
        storage.storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
    }

    package mutating func write(_ text: String) {
        var text = text
        text.withUTF8 {
            write(UInt32($0.count))
            append(UnsafeRawBufferPointer($0))
        }
    }

    package mutating func write(_ data: [UInt8]) {
        write(UInt32(data.count))
        data.withUnsafeBytes { append($0) }
    }

    /// How many follow.
    package mutating func write(count: Int) { write(UInt32(count)) }

    @inlinable package mutating func write(_ fields: [some WirePair]) {
        write(count: fields.count)
        for field in fields {
            write(field.name)
            write(field.value)
        }
    }

    /// Appends bytes as they are.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let offset = add(bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: storage[offset...]).copyMemory(from: bytes)
    }

    /// Overwrites four bytes at `offset`, which must lie inside what was written.
    package mutating func replace(at offset: Int, with number: UInt32) {
        precondition(offset >= 0 && offset + 4 <= count, "only what was written can be replaced")
        storage.storeBytes(of: number.littleEndian, toByteOffset: start + offset, as: UInt32.self)
    }

    /// Makes room for `size` more bytes. Returns where they begin.
    @inline(__always)
    private mutating func add(_ size: Int) -> Int {
        if start + count + size > storage.count { makeRoom(for: size) }
        defer { count += size }
        return start + count
    }

    /// Moves what there is to the front: into more memory, unless at least half of this one has been freed, so that what is
    /// moved is never more than what was removed since.
    @inline(never)
    private mutating func makeRoom(for size: Int) {
        let used = UnsafeRawBufferPointer(rebasing: storage[start..<start + count])
        if start >= storage.count / 2, count + size <= storage.count {
            storage.copyMemory(from: used)
        } else {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(count + size, 2 * storage.count), alignment: MemoryLayout<UInt64>.alignment)
            larger.copyMemory(from: used)
            storage.deallocate()
            storage = larger
        }
        start = 0
    }
}

/// Reads what `ByteWriter` writes, and never past the end.
package struct ByteReader {
    @usableFromInline package let bytes: UnsafeRawBufferPointer
    /// Offset of the next byte in `bytes`.
    package private(set) var position: Int

    /// Reads `range` of `bytes`, which must stay valid as long as the reader.
    package init(_ bytes: UnsafeRawBufferPointer, range: Range<Int>) {
        self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<range.upperBound])
        position = range.lowerBound
    }

    package var remaining: Range<Int> { position..<bytes.count }
    package var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[position...]) }

    @inline(__always)
    package mutating func integer<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(WireError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - position >= size else { throw Self.cut("integer") }
        defer { position += size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    package mutating func slice() throws(WireError) -> UnsafeRawBufferPointer {
        let count = Int(try integer(UInt32.self))
        guard bytes.count - position >= count else { throw Self.cut("string") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    package mutating func string() throws(WireError) -> String { String(decoding: try slice(), as: UTF8.self) }

    /// Passes over so many strings.
    package mutating func skip(strings: Int) throws(WireError) {
        for _ in 0..<strings { _ = try slice() }
    }

    package mutating func data() throws(WireError) -> [UInt8] { [UInt8](try slice()) }

    package mutating func fields() throws(WireError) -> [WireField] {
        let count = try fieldCount()
        var fields: [WireField] = []
        fields.reserveCapacity(count)
        for _ in 0..<count { fields.append(WireField(try string(), try string())) }
        return fields
    }

    /// How many fields follow.
    package mutating func fieldCount() throws(WireError) -> Int {
        let count = Int(try integer(UInt32.self))
        // Eight bytes is the least that a field takes: no count can make us reserve more than the payload is long.
        guard count <= (bytes.count - position) / 8 else { throw Self.cut("list of fields") }
        return count
    }

    @inline(never)
    private static func cut(_ what: String) -> WireError {
        WireError("the payload ends inside \(what == "integer" ? "an" : "a") \(what)")
    }

    package func end() throws(WireError) {
        guard position == bytes.count else {
            throw WireError("\(bytes.count - position) bytes too many in the payload")
        }
    }
}

/// A name and a value, in whatever type the sender has them.
package protocol WirePair {
    var name: String { get }
    var value: String { get }
}

/// A name and a value: a header, a route parameter, an attribute of an event.
package struct WireField: WirePair, Sendable, Hashable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
