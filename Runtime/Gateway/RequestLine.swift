import Events
import Glibc

/// The first line of a request (RFC 9112 §3): method, target and version, one space between.
struct RequestLine {
    let method: String
    let target: String
    /// HTTP/1.0.
    let isOld: Bool

    /// - Parameter line: without its end.
    init(_ line: UnsafeRawBufferPointer) throws(Problem) {
        let space = UInt8(ascii: " ")
        guard let first = line.firstIndex(of: space, from: 0), let last = line.lastIndex(of: space), first < last,
            let version = HTTPVersion(line.part((last + 1)...))
        else { throw .malformedRequestLine }
        guard version.isKnown else { throw .unsupportedVersion }
        let (method, target) = (line.part(..<first), line.part((first + 1)..<last))
        guard !method.isEmpty, ByteSet.methods.containsAll(of: method), ByteSet.targets.containsAll(of: target) else {
            throw .malformedRequestLine
        }
        self.method = String(decoding: method, as: UTF8.self)
        self.target = String(decoding: target, as: UTF8.self)
        isOld = version.isOld
        guard self.method != "CONNECT" else { throw .notImplemented("CONNECT is for proxies.") }
        guard Self.isKnown(self.method) else { throw .notImplemented("The method is not known.") }
        guard Self.isTarget(target) else { throw .malformedRequestLine }
    }

    /// In origin, asterisk or absolute form (RFC 9112 §3.2).
    private static func isTarget(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.first == UInt8(ascii: "/") { return true }
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return text == "*" }
        let authority = text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        return !authority.isEmpty && authority.utf8.allSatisfy(\.isHostCharacter)
    }

    /// Those that are registered for HTTP and WebDAV, and that functions are called with.
    private static func isKnown(_ method: String) -> Bool {
        switch method {
        case "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY": true
        case "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "BIND", "REBIND", "UNBIND",
            "ACL", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "MKCALENDAR", "LINK", "UNLINK", "NOTIFY", "SUBSCRIBE",
            "UNSUBSCRIBE", "M-SEARCH", "PURGE":
            true
        default: false
        }
    }
}

/// `HTTP/` and two digits with a dot between (RFC 9112 §2.3).
private struct HTTPVersion {
    private let major: UInt8
    private let minor: UInt8

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 8, let start = bytes.baseAddress, memcmp(start, "HTTP/", 5) == 0,
            bytes[6] == UInt8(ascii: "."), bytes[5].isDigit, bytes[7].isDigit
        else { return nil }
        (major, minor) = (bytes[5] - UInt8(ascii: "0"), bytes[7] - UInt8(ascii: "0"))
    }

    var isKnown: Bool { major == 1 && minor <= 1 }
    var isOld: Bool { minor == 0 }
}

extension HeaderField {
    /// A field line (RFC 9112 §5): a token, a colon right behind it, and a value whose ends are trimmed.
    ///
    /// A tab at its end is refused: with one, some take 'chunked' for another coding, and so see other requests.
    ///
    /// - Parameter line: without its end, not empty.
    init(line: UnsafeRawBufferPointer) throws(Problem) {
        guard line[line.count - 1] != UInt8(ascii: "\t") else { throw .malformedField }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":"), from: 0), colon > 0 else { throw .malformedField }
        var (start, end) = (colon + 1, line.count)
        while start < end, line[start].isBlank { start += 1 }
        while start < end, line[end - 1].isBlank { end -= 1 }
        let (name, value) = (line.part(..<colon), line.part(start..<end))
        guard ByteSet.tokens.containsAll(of: name), ByteSet.fields.containsAll(of: value) else { throw .malformedField }
        self.init(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
    }
}

/// The line before a chunk (RFC 9112 §7.1): its size in hexadecimal, and extensions, which nobody needs.
struct ChunkSize {
    let value: Int64

    /// - Parameter line: without its end.
    init(_ line: UnsafeRawBufferPointer) throws(Problem) {
        let digits = line.prefix { $0.hexDigit != nil }
        // Fifteen digits always fit.
        guard (1...15).contains(digits.count), Self.areExtensions(line[digits.count...]) else { throw .malformedChunk }
        value = digits.reduce(0) { $0 << 4 | Int64($1.hexDigit ?? 0) }
    }

    /// `;name`, `;name=value` or `;name="value"`, any number of times.
    private static func areExtensions(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
        var rest = text
        while rest.first == UInt8(ascii: ";") {
            rest = rest.dropFirst()
            guard takeToken(&rest) else { return false }
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest = rest.dropFirst()
            guard rest.first == UInt8(ascii: "\"") ? takeQuoted(&rest) : takeToken(&rest) else { return false }
        }
        return rest.isEmpty
    }

    private static func takeToken(_ text: inout Slice<UnsafeRawBufferPointer>) -> Bool {
        let rest = text.drop(while: \.isTokenCharacter)
        defer { text = rest }
        return rest.count < text.count
    }

    /// A quoted string (RFC 9110 §5.6.4).
    private static func takeQuoted(_ text: inout Slice<UnsafeRawBufferPointer>) -> Bool {
        var isEscaped = false
        for (index, byte) in zip(text.indices, text).dropFirst() {
            guard byte.isFieldCharacter else { return false }
            if byte == UInt8(ascii: "\""), !isEscaped {
                text = text[(index + 1)...]
                return true
            }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        }
        return false
    }
}

extension UnsafeRawBufferPointer {
    func part(_ range: some RangeExpression<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }

    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count, let base = baseAddress, let found = memchr(base + start, CInt(byte), count - start) else {
            return nil
        }
        return base.distance(to: UnsafeRawPointer(found))
    }
}

extension UInt8 {
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }

    /// SP or HTAB.
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    var isMethodCharacter: Bool { self >= 0x41 && self <= 0x5A || self == UInt8(ascii: "-") }

    /// Of a request target: what is visible, but no fragment, which stays with the client.
    var isTargetCharacter: Bool { self > 0x20 && self < 0x7F && self != UInt8(ascii: "#") }

    /// Of a host and a port (RFC 3986 §3.2.2).
    var isHostCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+;=:[]%".utf8.contains(self)
        }
    }

    /// Of a field's value (RFC 9110 §5.5): no control characters but HTAB.
    var isFieldCharacter: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    /// Of a token (RFC 9110 §5.6.2).
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: "!#$%&'*+.^`|~".utf8.contains(self)
        }
    }

    fileprivate var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
