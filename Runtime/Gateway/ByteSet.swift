import Events

/// A set of bytes, for questions that are asked of each byte of each request.
struct ByteSet: @unchecked Sendable {
    // `@unchecked`: written while it is made, and read from then on. Never freed: all sets are there for good.
    private let isMember: UnsafePointer<Bool>

    private init(_ isMember: (UInt8) -> Bool) {
        let table = UnsafeMutablePointer<Bool>.allocate(capacity: 256)
        for byte in UInt8.min...UInt8.max { (table + Int(byte)).initialize(to: isMember(byte)) }
        self.isMember = UnsafePointer(table)
    }

    /// A byte is less than the table's 256 places.
    func contains(_ byte: UInt8) -> Bool { isMember[Int(byte)] }

    func containsAll(of bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes where !contains(byte) { return false }
        return true
    }

    func containsAll(of text: String) -> Bool { text.withRawUTF8 { containsAll(of: $0) } }

    static let methods = ByteSet(\.isMethodCharacter)
    static let targets = ByteSet(\.isTargetCharacter)
    static let plainTargets = ByteSet(\.isPlainTargetCharacter)
    static let hosts = ByteSet(\.isHostCharacter)
    static let fields = ByteSet(\.isFieldCharacter)
    static let tokens = ByteSet(\.isTokenCharacter)
}

extension String {
    /// Gives the bytes to `body`, which must not keep them.
    func withRawUTF8<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return result }
        var text = self
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all may stand in a field's value. Looks at eight at a time, since values are long.
    var areFieldCharacters: Bool {
        /// `byte` eight times.
        func word(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }
        var offset = 0
        while count - offset >= 8 {
            let bytes = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let deletes = bytes ^ word(0x7F)
            // Whether a byte is less than 0x20, or is 0x7F (Bit Twiddling Hacks, "Determine if a word has a byte less than n").
            let found = (bytes &- word(0x20)) & ~bytes | (deletes &- word(1)) & ~deletes
            if found & word(0x80) != 0 { break }
            offset += 8
        }
        return ByteSet.fields.containsAll(of: part(offset...))
    }

    /// Whether these are the bytes of `other`, which is lowercase, in any case.
    func equals(lowercased other: StaticString) -> Bool {
        guard count == other.utf8CodeUnitCount else { return false }
        for index in indices where self[index].asciiLowercased != other.utf8Start[index] { return false }
        return true
    }
}
