import Synchronization

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
        let random = RandomPool.shared.pair()
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
        var position = 0
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 {
                buffer[position] = UInt8(ascii: "-")
                position += 1
            }
            let word = index < 16 ? high : low
            let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - index % 16 * 4)) & 0xF
            buffer[position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
            position += 1
        }
        return position
    }
}

extension InvocationID: Comparable {
    package static func < (left: InvocationID, right: InvocationID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// The kernel's random numbers, fetched many at a time: a system call for each id would be a tenth of those that a
/// request costs.
private final class RandomPool: Sendable {
    static let shared = RandomPool()

    private struct Words {
        var left: [UInt64] = []
    }

    private let words = Mutex(Words())

    func pair() -> (UInt64, UInt64) {
        words.withLock { words in
            if words.left.count < 2 {
                // getentropy(3) gives at most 256 bytes at once.
                words.left = [UInt64](repeating: 0, count: 32)
                let result = words.left.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
                precondition(result == 0, "getentropy cannot fail for 256 bytes (getentropy(3))")
            }
            return (words.left.removeLast(), words.left.removeLast())
        }
    }
}
