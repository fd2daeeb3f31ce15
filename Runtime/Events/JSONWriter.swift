/// Writes one JSON value (RFC 8259) as bytes, from its first to its last.
///
/// The host's own documents have few fields in a fixed order. An encoder, or text that is pieced together, would cost a
/// queued request more than its row in the database does.
package struct JSONWriter: ~Copyable {
    private var output = GatheredBytes(room: 512)
    /// The next member or element is not the first.
    private var needsComma = false

    package init() {}

    /// What has been written.
    package var bytes: [UInt8] { output.bytes }

    /// An object with `members`.
    package static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        object(members) { Array($0) }
    }

    /// What `body` makes of an object with `members`, whose bytes are valid as long as it runs.
    package static func object<Result>(
        _ members: (inout JSONWriter) -> Void, read body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        var writer = JSONWriter()
        writer.object(members)
        return writer.output.read(body)
    }

    /// An object with `members`, and the end of its line.
    package static func line(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        writer.append("\n")
        return writer.bytes
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
        output.append(atMost: InvocationID.length) { id.write(to: $0) }
        append("\"")
    }

    /// In the form of RFC 3339.
    package mutating func string(_ time: WallTime) {
        separate()
        append("\"")
        output.append(atMost: WallTime.longest) { time.write(to: $0) }
        append("\"")
    }

    package mutating func number(_ number: Int) {
        separate()
        append(text: String(number))
    }

    package mutating func bool(_ value: Bool) {
        separate()
        append(text: value ? "true" : "false")
    }

    /// A value that is JSON already.
    package mutating func verbatim(_ json: [UInt8]) {
        separate()
        json.withUnsafeBytes { output.append($0) }
    }

    // MARK: Members

    /// The name of the member whose value comes next: one of ours, in which nothing needs an escape.
    package mutating func name(_ name: StaticString) {
        separate()
        append("\"")
        output.append(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        append("\"")
        append(":")
        needsComma = false
    }

    /// The name of the member whose value comes next.
    package mutating func name(text: String) {
        separate()
        quote(text)
        append(":")
        needsComma = false
    }

    package mutating func field(_ name: StaticString, _ value: String) {
        self.name(name)
        string(value)
    }

    package mutating func field(text name: String, _ value: String) {
        self.name(text: name)
        string(value)
    }

    package mutating func field(_ name: StaticString, _ value: InvocationID) {
        self.name(name)
        string(value)
    }

    package mutating func field(_ name: StaticString, _ value: WallTime) {
        self.name(name)
        string(value)
    }

    package mutating func field(_ name: StaticString, _ value: Int) {
        self.name(name)
        number(value)
    }

    package mutating func field(_ name: StaticString, _ value: Bool) {
        self.name(name)
        bool(value)
    }

    package mutating func field(_ name: StaticString, object members: (inout JSONWriter) -> Void) {
        self.name(name)
        object(members)
    }

    package mutating func field(_ name: StaticString, array elements: (inout JSONWriter) -> Void) {
        self.name(name)
        array(elements)
    }
}

extension JSONWriter {
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
        append("\"")
        var text = text
        text.withUTF8 { utf8 in
            var rest = UnsafeRawBufferPointer(utf8)
            while let index = rest.firstEscapedInJSON {
                output.append(UnsafeRawBufferPointer(rebasing: rest[..<index]))
                escape(rest[index])
                rest = UnsafeRawBufferPointer(rebasing: rest[(index + 1)...])
            }
            output.append(rest)
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
            append(text: digits.utf8.count == 1 ? "u000" : "u00")
            append(text: digits)
        default: append(Unicode.Scalar(byte))
        }
    }

    /// An ASCII character.
    @inline(__always)
    private mutating func append(_ character: Unicode.Scalar) { output.append(UInt8(ascii: character)) }

    private mutating func append(text: String) {
        var text = text
        text.withUTF8 { output.append(UnsafeRawBufferPointer($0)) }
    }
}

extension UnsafeRawBufferPointer {
    /// Where the first byte is that a string cannot hold as it stands. Looks at eight at a time, since few need that.
    fileprivate var firstEscapedInJSON: Int? {
        /// `byte` eight times.
        func word(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }
        /// Whether a byte is zero (Bit Twiddling Hacks, "Determine if a word has a zero byte"), in its highest bit.
        func zeros(_ bytes: UInt64) -> UInt64 { (bytes &- word(1)) & ~bytes }
        func isClean(eightAt offset: Int) -> Bool {
            let bytes = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let controls = (bytes &- word(0x20)) & ~bytes
            let found =
                controls | zeros(bytes ^ word(UInt64(UInt8(ascii: "\""))))
                | zeros(bytes ^ word(UInt64(UInt8(ascii: "\\"))))
            return found & word(0x80) == 0
        }
        var offset = 0
        while count - offset >= 8, isClean(eightAt: offset) { offset += 8 }
        // The last eight, some of which it has seen.
        if count >= 8, count - offset < 8, isClean(eightAt: count - 8) { return nil }
        while offset < count {
            let byte = self[offset]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return offset }
            offset += 1
        }
        return nil
    }
}
