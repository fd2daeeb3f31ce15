import Events

/// A set of bytes in two words and a bit, for questions that are asked of each byte of each request. Those beyond ASCII
/// are all in it, or none is.
struct ByteSet: Sendable {
    private let low: UInt64
    private let high: UInt64
    private let beyond: UInt64

    init(_ isMember: (UInt8) -> Bool) {
        func word(from first: UInt8) -> UInt64 {
            (0..<64).reduce(0) { isMember(first + $1) ? $0 | 1 << UInt64($1) : $0 }
        }
        low = word(from: 0)
        high = word(from: 64)
        beyond = word(from: 128)
        assert(beyond == word(from: 192) && (beyond == 0 || beyond == .max))
    }

    func contains(_ byte: UInt8) -> Bool {
        (byte < 64 ? low : byte < 128 ? high : beyond) >> UInt64(byte & 63) & 1 != 0
    }

    func containsAll(of bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where !contains(byte) { return false }
        return true
    }

    func containsAll(of text: String) -> Bool { text.withRawUTF8 { containsAll(of: $0) } }

    static let methods = ByteSet(\.isMethodCharacter)
    static let targets = ByteSet(\.isTargetCharacter)
    static let hosts = ByteSet(\.isHostCharacter)
    static let fields = ByteSet(\.isFieldCharacter)
    static let tokens = ByteSet(\.isTokenCharacter)
}

extension String {
    /// Gives the bytes to `body`, which must not keep them.
    func withRawUTF8<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these are the bytes of `other`, which is lowercase, in any case.
    func equals(lowercased other: StaticString) -> Bool {
        guard count == other.utf8CodeUnitCount else { return false }
        for index in indices where self[index].asciiLowercased != other.utf8Start[index] { return false }
        return true
    }
}
