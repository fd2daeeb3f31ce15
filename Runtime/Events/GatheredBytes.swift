/// Bytes that are written one after the other, into memory that belongs to this value alone.
///
/// An array asks with each part that is added whether somebody shares it, which costs more than to copy a short one.
package struct GatheredBytes: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    package private(set) var count = 0

    /// - Parameter room: about how many there will be.
    package init(room: Int) { memory = .allocate(byteCount: room, alignment: 8) }

    deinit { memory.deallocate() }

    package var bytes: [UInt8] { Array(written) }

    /// What `body` makes of the bytes, which are valid as long as it runs.
    package func read<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { body(written) }

    private var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory.baseAddress, count: count) }

    @inline(__always)
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        memory[count] = byte
        count += 1
    }

    @inline(__always)
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    /// What `write` has written to the beginning of the memory that it is given, and says the length of.
    @inline(__always)
    package mutating func append(atMost size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Int) {
        reserve(size)
        count += write(UnsafeMutableRawBufferPointer(rebasing: memory[count...]))
    }

    /// Makes room for so many more.
    @inline(__always)
    package mutating func reserve(_ size: Int) {
        if memory.count - count < size { grow(by: size) }
    }

    @inline(never)
    private mutating func grow(by size: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(count + size, 2 * memory.count), alignment: 8)
        larger.copyMemory(from: written)
        memory.deallocate()
        memory = larger
    }
}
