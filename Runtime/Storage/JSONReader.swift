/// Reads JSON (RFC 8259) of a known shape, part by part.
///
/// It is for what `JSONWriter` has written: to find out with a general decoder what each part is would cost a queued
/// request more than all its statements.
struct JSONReader {
    /// What was expected is not there.
    struct Mismatch: Error, Sendable, CustomStringConvertible {
        let expected: String
        /// In bytes.
        let position: Int

        var description: String { "expected \(expected) at byte \(position) of JSON" }
    }

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func string() throws(Mismatch) -> String {
        try expect("\"")
        var (text, start) = ([UInt8](), position)
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                let rest = bytes[start..<position]
                return String(decoding: text.isEmpty ? rest : text + rest, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += bytes[start..<position]
                position += 1
                text += try escaped().utf8
                start = position
            default: position += 1
            }
        }
        throw mismatch("the end of a string")
    }

    mutating func array<Element>(_ element: (inout JSONReader) throws -> Element) throws -> [Element] {
        var elements: [Element] = []
        try list(from: "[", to: "]") { elements.append(try element(&$0)) }
        return elements
    }

    /// An object whose member after each name is read by `member`.
    mutating func object(_ member: (inout JSONReader, String) throws -> Void) throws {
        try list(from: "{", to: "}") { reader in
            let name = try reader.string()
            try reader.expect(":")
            try member(&reader, name)
        }
    }

    /// Nothing may follow.
    mutating func end() throws(Mismatch) {
        skipSpace()
        if position < bytes.count { throw mismatch("the end") }
    }

    func mismatch(_ expected: String) -> Mismatch { Mismatch(expected: expected, position: position) }
}

extension JSONReader {
    private mutating func list(
        from start: Unicode.Scalar, to end: Unicode.Scalar, _ part: (inout JSONReader) throws -> Void
    ) throws {
        try expect(start)
        if take(end) { return }
        repeat { try part(&self) } while take(",")
        try expect(end)
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Mismatch) {
        if !take(character) { throw mismatch("'\(character)'") }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    /// What stands for the characters behind a backslash (RFC 8259 §7), but for surrogates, which are never written.
    private mutating func escaped() throws(Mismatch) -> Unicode.Scalar {
        guard position < bytes.count else { throw mismatch("an escape") }
        defer { position += 1 }
        switch bytes[position] {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(bytes[position])
        case UInt8(ascii: "u"):
            let digits = String(decoding: bytes[position...].dropFirst().prefix(4), as: UTF8.self)
            guard digits.utf8.count == 4, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
                throw mismatch("four hexadecimal digits")
            }
            position += 4
            return scalar
        default: throw mismatch("an escape")
        }
    }
}
