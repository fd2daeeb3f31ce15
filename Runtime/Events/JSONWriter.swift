/// Writes one JSON value (RFC 8259) as bytes, from its first to its last.
///
/// The host's own documents have few fields in a fixed order. An encoder, or text that is pieced together, would cost a
/// queued request more than its row in the database does.
package struct JSONWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []
    /// The next member or element is not the first.
    private var needsComma = false

    package init() { bytes.reserveCapacity(320) }

    /// An object with `members`.
    package static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes
    }

    /// An object with `members`, and the end of its line.
    package static func line(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        object(members) + [UInt8(ascii: "\n")]
    }

    /// An array of `elements`.
    package static func array(_ elements: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.array(elements)
        return writer.bytes
    }

    // MARK: Values

    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        enclosed(in: "{", "}", members)
    }

    package mutating func array(_ elements: (inout JSONWriter) -> Void) {
        enclosed(in: "[", "]", elements)
    }

    package mutating func string(_ text: String) {
        separate()
        quote(text)
    }

    package mutating func string(_ id: InvocationID) {
        separate()
        append("\"")
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: InvocationID.length))
        bytes.withUnsafeMutableBytes { _ = id.write(to: UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
        append("\"")
    }

    /// In the form of RFC 3339.
    package mutating func string(_ time: WallTime) {
        separate()
        append("\"")
        time.write(to: &bytes)
        append("\"")
    }

    package mutating func number(_ number: Int) {
        separate()
        bytes.append(contentsOf: String(number).utf8)
    }

    package mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// A value that is JSON already.
    package mutating func verbatim(_ json: [UInt8]) {
        separate()
        bytes.append(contentsOf: json)
    }

    // MARK: Members

    /// The name of the member whose value comes next.
    package mutating func name(_ name: String) {
        separate()
        quote(name)
        append(":")
        needsComma = false
    }

    package mutating func field(_ name: String, _ value: String) {
        self.name(name)
        string(value)
    }

    package mutating func field(_ name: String, _ value: InvocationID) {
        self.name(name)
        string(value)
    }

    package mutating func field(_ name: String, _ value: WallTime) {
        self.name(name)
        string(value)
    }

    package mutating func field(_ name: String, _ value: Int) {
        self.name(name)
        number(value)
    }

    package mutating func field(_ name: String, _ value: Bool) {
        self.name(name)
        bool(value)
    }

    package mutating func field(_ name: String, object members: (inout JSONWriter) -> Void) {
        self.name(name)
        object(members)
    }

    package mutating func field(_ name: String, array elements: (inout JSONWriter) -> Void) {
        self.name(name)
        array(elements)
    }
}

extension JSONWriter {
    private mutating func append(_ character: Unicode.Scalar) { bytes.append(UInt8(ascii: character)) }

    /// Before each value and each name.
    private mutating func separate() {
        if needsComma { append(",") }
        needsComma = true
    }

    private mutating func enclosed(
        in start: Unicode.Scalar, _ end: Unicode.Scalar, _ parts: (inout JSONWriter) -> Void
    ) {
        separate()
        append(start)
        needsComma = false
        parts(&self)
        append(end)
        needsComma = true
    }

    /// A string (RFC 8259 §7). What needs no escape, which is almost all, is copied as it stands.
    private mutating func quote(_ text: String) {
        var text = text
        append("\"")
        text.withUTF8 { utf8 in
            var start = 0
            for index in 0..<utf8.count where utf8[index].isEscapedInJSON {
                bytes.append(contentsOf: utf8[start..<index])
                escape(utf8[index])
                start = index + 1
            }
            bytes.append(contentsOf: utf8[start...])
        }
        append("\"")
    }

    private mutating func escape(_ byte: UInt8) {
        append("\\")
        switch byte {
        case UInt8(ascii: "\n"): append("n")
        case UInt8(ascii: "\r"): append("r")
        case UInt8(ascii: "\t"): append("t")
        case 0..<0x20:
            let digits = String(byte, radix: 16)
            bytes.append(contentsOf: (digits.utf8.count == 1 ? "u000" : "u00").utf8)
            bytes.append(contentsOf: digits.utf8)
        default: bytes.append(byte)
        }
    }
}

extension UInt8 {
    fileprivate var isEscapedInJSON: Bool {
        self < 0x20 || self == UInt8(ascii: "\"") || self == UInt8(ascii: "\\")
    }
}
