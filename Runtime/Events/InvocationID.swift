#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The id of one invocation: a UUID version 7 (RFC 9562 §5.7), so that ids sort by the time of their creation.
package struct InvocationID: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new id: 48 bits of `time` in milliseconds, 74 random bits.
    package init(time: WallTime = .now()) {
        let random = RandomPool.ofThread.pair()
        high = UInt64(truncatingIfNeeded: time.milliseconds) << 16 | 0x7000 | random.0 & 0x0FFF
        low = 0x8000_0000_0000_0000 | random.1 >> 2
    }

    /// Reads the 36-character form; `nil` for anything else.
    package init?(_ text: String) {
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        for (index, byte) in text.utf8.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits.append(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digits.append(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digits.append(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        guard digits.count == 32 else { return nil }
        high = digits[..<16].reduce(0) { $0 << 4 | UInt64($1) }
        low = digits[16...].reduce(0) { $0 << 4 | UInt64($1) }
    }
}

extension InvocationID: CustomStringConvertible {
    /// The lowercase 8-4-4-4-12 form.
    package var description: String {
        String(unsafeUninitializedCapacity: Self.length) { write(to: UnsafeMutableRawBufferPointer($0)) }
    }

    /// Bytes of `description`.
    package static let length = 36

    /// Writes `description` to the beginning of `buffer`, which has room for it. Returns its length.
    package func write(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        precondition(buffer.count >= Self.length)
        func store(_ digits: UInt64, at offset: Int) {
            buffer.storeBytes(of: digits.bigEndian, toByteOffset: offset, as: UInt64.self)
        }
        /// Four digits, a dash before them.
        func store(half digits: UInt64, at offset: Int) {
            buffer[offset] = UInt8(ascii: "-")
            let half = UInt32(truncatingIfNeeded: digits)
            buffer.storeBytes(of: half.bigEndian, toByteOffset: offset + 1, as: UInt32.self)
        }
        let middle = (Self.digits(high), Self.digits(low >> 32))
        store(Self.digits(high >> 32), at: 0)
        store(half: middle.0 >> 32, at: 8)
        store(half: middle.0, at: 13)
        store(half: middle.1 >> 32, at: 18)
        store(half: middle.1, at: 23)
        store(Self.digits(low), at: 28)
        return Self.length
    }

    /// The eight hexadecimal digits of the low half of `word` in ASCII, the first in the most significant byte.
    private static func digits(_ word: UInt64) -> UInt64 {
        // A nibble a byte, spread in three steps.
        var digits = word & 0xFFFF_FFFF
        digits = (digits | digits << 16) & 0x0000_FFFF_0000_FFFF
        digits = (digits | digits << 8) & 0x00FF_00FF_00FF_00FF
        digits = (digits | digits << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 where a letter is needed.
        let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return digits + 0x3030_3030_3030_3030 + letters * UInt64(UInt8(ascii: "a") - UInt8(ascii: "0") - 10)
    }
}

extension InvocationID: Comparable {
    package static func < (left: InvocationID, right: InvocationID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// The kernel's random numbers, fetched many at a time: a system call for each id would be a tenth of those that a
/// request costs. Each thread has its own.
private final class RandomPool {
    /// With the pool of each thread that has asked for one.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = pthread_key_create(&key) { if let pool = $0 { Unmanaged<RandomPool>.fromOpaque(pool).release() } }
        precondition(result == 0, "a process has room for 1,024 keys (pthread_key_create(3))")
        return key
    }()

    private var words = [UInt64](repeating: 0, count: 256)
    /// Those that nobody has had yet.
    private var left = 0

    static var ofThread: RandomPool {
        // What is kept there is retained until the thread ends.
        if let known = pthread_getspecific(key) { return Unmanaged<RandomPool>.fromOpaque(known).takeUnretainedValue() }
        let pool = RandomPool()
        pthread_setspecific(key, Unmanaged.passRetained(pool).toOpaque())
        return pool
    }

    func pair() -> (UInt64, UInt64) {
        if left < 2 { fill() }
        left -= 2
        return (words[left], words[left + 1])
    }

    private func fill() {
        words.withUnsafeMutableBytes { bytes in
            // getentropy(3) gives at most 256 bytes at once.
            for start in stride(from: 0, to: bytes.count, by: 256) {
                let result = getentropy(bytes.baseAddress.map { $0 + start }, 256)
                precondition(result == 0, "getentropy cannot fail for 256 bytes (getentropy(3))")
            }
        }
        left = words.count
    }
}
