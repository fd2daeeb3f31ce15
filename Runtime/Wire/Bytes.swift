/// What does not follow `docs/worker-protocol.md`.
package struct WireError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Appends little-endian integers and length-prefixed strings to an array.
package struct ByteWriter: Sendable {
    package var bytes: [UInt8]

    package init(reserving capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inlinable package mutating func write<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    @inlinable package mutating func write(_ text: String) {
        write(UInt32(text.utf8.count))
        // Native strings, which nearly all are, are appended without a copy of their own.
        let isDone: Void? = text.utf8.withContiguousStorageIfAvailable { bytes.append(contentsOf: $0) }
        if isDone == nil { bytes.append(contentsOf: text.utf8) }
    }

    @inlinable package mutating func write(_ data: [UInt8]) {
        write(UInt32(data.count))
        bytes.append(contentsOf: data)
    }

    @inlinable package mutating func write(_ fields: [some WirePair]) {
        write(UInt32(fields.count))
        for field in fields {
            write(field.name)
            write(field.value)
        }
    }

    /// Overwrites four bytes at `offset`, which must lie inside what was written.
    package mutating func replace(at offset: Int, with number: UInt32) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: number.littleEndian, toByteOffset: offset, as: UInt32.self) }
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

    package mutating func integer<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(WireError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - position >= size else { throw WireError("the payload ends inside an integer") }
        defer { position += size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    package mutating func slice() throws(WireError) -> UnsafeRawBufferPointer {
        let count = Int(try integer(UInt32.self))
        guard bytes.count - position >= count else { throw WireError("the payload ends inside a string") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    package mutating func string() throws(WireError) -> String { String(decoding: try slice(), as: UTF8.self) }

    package mutating func data() throws(WireError) -> [UInt8] { [UInt8](try slice()) }

    package mutating func fields() throws(WireError) -> [WireField] {
        let count = Int(try integer(UInt32.self))
        // Eight bytes is the least that a field takes: no count can make us reserve more than the payload is long.
        guard count <= (bytes.count - position) / 8 else { throw WireError("the payload ends inside a list of fields") }
        var fields: [WireField] = []
        fields.reserveCapacity(count)
        for _ in 0..<count { fields.append(WireField(try string(), try string())) }
        return fields
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
