/// Bytes that are written one after the other, into memory that belongs to this value alone.
///
/// An array asks with each part that is added whether somebody shares it, which costs more than to copy a short one.
package struct GatheredBytes: ~Copyable {
    /// Of a type, since what has none is asked of the C library with an alignment, which takes it several times as long.
    private var memory: UnsafeMutableBufferPointer<UInt8>
    package private(set) var count = 0

    /// - Parameter room: about how many there will be.
    package init(room: Int) { memory = .allocate(capacity: room) }

    deinit { memory.deallocate() }

    package var bytes: [UInt8] { Array(written) }

    /// The bytes where they are: whoever takes them deallocates them.
    package consuming func take() -> UnsafeBufferPointer<UInt8> {
        let taken = UnsafeBufferPointer(rebasing: memory[..<count])
        discard self
        return taken
    }

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
        rest.copyMemory(from: bytes)
        count += bytes.count
    }

    /// What `write` has written to the beginning of the memory that it is given, and says the length of.
    @inline(__always)
    package mutating func append(atMost size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Int) {
        reserve(size)
        count += write(rest)
    }

    @inline(__always)
    private var rest: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: memory[count...]))
    }

    /// Makes room for so many more.
    @inline(__always)
    package mutating func reserve(_ size: Int) {
        if memory.count - count < size { grow(by: size) }
    }

    @inline(never)
    private mutating func grow(by size: Int) {
        let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(count + size, 2 * memory.count))
        UnsafeMutableRawBufferPointer(larger).copyMemory(from: written)
        memory.deallocate()
        memory = larger
    }
}
