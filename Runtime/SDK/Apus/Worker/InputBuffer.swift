import Wire

/// What has been received and is not a whole frame yet.
struct InputBuffer: ~Copyable {
    private static let capacity = 64 << 10
    private static let headerSize = Frame.headerSize

    // This value's alone: it cannot be copied, and frees it at its end. Memory that nothing was read into yet is not the
    // process's, which zeroes would make it.
    private var bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    private var filled = 0

    deinit { bytes.deallocate() }

    /// Reads what is there, up to the room in the buffer. `false` at the end of the stream.
    mutating func fill(from link: inout HostLink) throws -> Bool {
        guard let count = try link.receive(into: UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])) else {
            return false
        }
        filled += count
        return true
    }

    /// Gives each whole frame to `receive`, with the bytes that its payload is in, and keeps the rest.
    mutating func drain(_ receive: (FrameHeader, UnsafeRawBufferPointer) throws -> Void) throws {
        let input = UnsafeRawBufferPointer(rebasing: bytes[..<filled])
        var used = 0
        while let header = try FrameHeader.decode(from: input, at: &used) { try receive(header, input) }
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[used...]))
        filled -= used
        makeRoom()
    }

    /// Grows to what the frame at the front needs, and shrinks again after it.
    private mutating func makeRoom() {
        var needed = Self.capacity
        if filled >= Self.headerSize {
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
            needed = max(needed, length + Self.headerSize)
        }
        guard bytes.count < needed || bytes.count > needed && filled <= needed else { return }
        let other = UnsafeMutableRawBufferPointer.allocate(byteCount: needed, alignment: 8)
        other.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<filled]))
        bytes.deallocate()
        bytes = other
    }
}
