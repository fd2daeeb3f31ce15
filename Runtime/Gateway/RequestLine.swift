import Events
import Glibc

/// The first line of a request (RFC 9112 §3): method, target and version, one space between.
struct RequestLine {
    let method: String
    let target: String
    /// The target is a path, with nothing encoded in it and nothing else in it, and not one of the host's own.
    let isPlain: Bool
    /// HTTP/1.0.
    let isOld: Bool

    /// - Parameter line: without its end.
    init(_ line: UnsafeRawBufferPointer) throws(Problem) {
        let space = UInt8(ascii: " ")
        // Behind the last space stands the version, whose length is known.
        let last = line.count - 9
        guard last > 0, line[last] == space, let first = line.firstIndex(of: space, from: 0), first < last,
            let version = HTTPVersion(line.part((last + 1)...))
        else { throw .malformedRequestLine }
        guard version.isKnown else { throw .unsupportedVersion }
        let (method, target) = (line.part(..<first), line.part((first + 1)..<last))
        isPlain = Self.isPlain(target)
        guard isPlain || ByteSet.targets.containsAll(of: target) else { throw .malformedRequestLine }
        self.method = try Self.method(method)
        self.target = String(decoding: target, as: UTF8.self)
        isOld = version.isOld
        guard isPlain || Self.isTarget(target) else { throw .malformedRequestLine }
    }

    private static func isPlain(_ target: UnsafeRawBufferPointer) -> Bool {
        guard target.first == UInt8(ascii: "/"), ByteSet.plainTargets.containsAll(of: target) else { return false }
        // Those of the host itself begin with a '_'.
        return target.count == 1 || target[1] != UInt8(ascii: "_")
    }

    private static func method(_ bytes: UnsafeRawBufferPointer) throws(Problem) -> String {
        if bytes.equals("GET") { return "GET" }
        guard !bytes.isEmpty, ByteSet.methods.containsAll(of: bytes) else { throw .malformedRequestLine }
        let method = String(decoding: bytes, as: UTF8.self)
        guard method != "CONNECT" else { throw .notImplemented("CONNECT is for proxies.") }
        guard isKnown(method) else { throw .notImplemented("The method is not known.") }
        return method
    }

    /// In origin, asterisk or absolute form (RFC 9112 §3.2).
    private static func isTarget(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.first == UInt8(ascii: "/") { return true }
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return text == "*" }
        let authority = String(text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" })
        return !authority.isEmpty && authority.withRawUTF8(\.isHost)
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

/// A field line (RFC 9112 §5): a token, a colon right behind it, and a value whose ends are trimmed.
///
/// A tab at its end is refused: with one, some take 'chunked' for another coding, and so see other requests.
struct FieldLine {
    let name: UnsafeRawBufferPointer
    let value: UnsafeRawBufferPointer

    /// - Parameter line: without its end, not empty.
    init(_ line: UnsafeRawBufferPointer) throws(Problem) {
        guard line[line.count - 1] != UInt8(ascii: "\t") else { throw .malformedField }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":"), from: 0), colon > 0 else { throw .malformedField }
        var (start, end) = (colon + 1, line.count)
        while start < end, line[start].isBlank { start += 1 }
        while start < end, line[end - 1].isBlank { end -= 1 }
        (name, value) = (line.part(..<colon), line.part(start..<end))
        guard ByteSet.tokens.containsAll(of: name), value.areFieldCharacters else { throw .malformedField }
    }

    init(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        self.name = name
        self.value = value
    }

    var field: HeaderField { HeaderField(String(decoding: name, as: UTF8.self), text) }

    /// The value.
    var text: String { String(decoding: value, as: UTF8.self) }
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
    func equals(_ other: StaticString) -> Bool {
        guard count == other.utf8CodeUnitCount, let base = baseAddress else { return false }
        return memcmp(base, other.utf8Start, count) == 0
    }

    /// Whether this is a name or an address, and perhaps a port (RFC 9110 §7.2). All may be empty.
    var isHost: Bool {
        guard ByteSet.hosts.containsAll(of: self) else { return false }
        var end = 0
        if first == UInt8(ascii: "[") {
            guard let bracket = firstIndex(of: UInt8(ascii: "]"), from: 0) else { return false }
            end = bracket + 1
            guard end == count || self[end] == UInt8(ascii: ":") else { return false }
        }
        guard let colon = firstIndex(of: UInt8(ascii: ":"), from: end) else { return true }
        let port = part((colon + 1)...)
        return port.count <= 5 && port.allSatisfy(\.isDigit) && port.reduce(0) { $0 * 10 + Int($1 & 15) } <= 65535
    }

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

    /// Of a request target that is a path as it is: no query, nothing encoded, no segments of dots.
    var isPlainTargetCharacter: Bool { isTargetCharacter && !"?%.".utf8.contains(self) }

    /// Of a host and a port (RFC 3986 §3.2.2).
    var isHostCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+;=:[]%".utf8.contains(self)
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
