/// The fields of an audit record, `name=value` between spaces.
struct AuditFields {
    private var values: [Substring: Substring] = [:]

    init(_ text: some Sequence<UInt8>) {
        // What comes of programs has no spaces: see `untrusted`.
        for field in String(decoding: Array(text), as: UTF8.self).split(separator: " ") {
            guard let sign = field.firstIndex(of: "=") else { continue }
            values[field[..<sign]] = field[field.index(after: sign)...]
        }
    }

    subscript(name: Substring) -> Substring? { values[name] }

    /// A value that programs have chosen: in quotes, or as hexadecimal digits where it has quotes, spaces, or anything but
    /// ASCII in it (`audit_log_untrustedstring` of the kernel). What could end a line of a log is `?`.
    func untrusted(_ name: Substring) -> String? {
        guard let value = values[name] else { return nil }
        if value.hasPrefix("\"") { return String(value.dropFirst().prefix { $0 != "\"" }) }
        let text = Self.bytes(value).map { String(decoding: $0, as: UTF8.self) } ?? String(value)
        return String(String.UnicodeScalarView(text.unicodeScalars.map { Self.isPlain($0) ? $0 : "?" }))
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    private static func bytes(_ digits: Substring) -> [UInt8]? {
        guard digits.utf8.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var rest = digits[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
