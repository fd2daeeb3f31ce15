import Events

/// Writes text into memory that has room for it, one piece behind the other.
struct TextWriter {
    private let memory: UnsafeMutableRawBufferPointer
    /// Bytes that have been written.
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// What has been written; valid as long as the memory.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    // In place, where the compiler knows how long the text is.
    @inline(__always)
    mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func write(text: String) { text.withRawUTF8 { write($0) } }

    mutating func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    /// A header field's line.
    mutating func writeField(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        write(name)
        write(": ")
        write(value)
        write("\r\n")
    }

    /// In decimal digits.
    ///
    /// - Parameter number: not negative.
    mutating func write(number: Int) {
        var (digits, rest) = (1, number / 10)
        while rest > 0 { (digits, rest) = (digits + 1, rest / 10) }
        precondition(number >= 0 && digits <= memory.count - count, "there is room for what is written")
        rest = number
        for offset in stride(from: count + digits - 1, through: count, by: -1) {
            memory[offset] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count += digits
    }

    mutating func write(_ invocation: InvocationID) {
        count += invocation.write(to: UnsafeMutableRawBufferPointer(rebasing: memory[count...]))
    }

    @inline(__always)
    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= memory.count - count, "there is room for what is written")
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }
}
