/// The path of a request: split at `/`, then percent-decoded segment by segment, so that `%2F` stays inside one.
///
/// Paths that a handler could be tricked with are refused rather than rewritten: `.` and `..` as a segment, or between
/// decoded slashes, however encoded; NUL; percent-encodings that are incomplete or not UTF-8.
package struct RequestPath: Sendable, Hashable {
    /// The segments as they are compared, each behind the separator: mostly the path as it came.
    private let text: String
    /// NUL, which no path may hold, where a segment has a slash of its own.
    private let separator: UInt8

    /// `nil` for a path that is not valid. `path` begins with `/`; `/` alone has no segments.
    package init?(_ path: Substring) {
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        // Nothing else can be encoded, or climb.
        guard path.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: ".") }) else {
            self.init(plain: String(path))
            return
        }
        var segments: [String] = []
        for part in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let segment = Self.decode(Substring(part), refusingNull: true), !Self.climbs(segment) else {
                return nil
            }
            segments.append(segment)
        }
        let hasSlash = segments.contains { $0.utf8.contains(UInt8(ascii: "/")) }
        let mark: Unicode.Scalar = hasSlash ? "\0" : "/"
        self.init(text: segments.map { "\(mark)\($0)" }.joined(), separator: UInt8(ascii: mark))
    }

    /// - Parameter plain: begins with `/`, and holds no `%` and no `.`.
    package init(plain path: String) {
        self.init(text: path.utf8.count == 1 ? "" : path, separator: UInt8(ascii: "/"))
    }

    private init(text: String, separator: UInt8) {
        self.text = text
        self.separator = separator
    }

    package var segments: [String] {
        withSegments { reader in
            var segments: [String] = []
            while let segment = reader.next() { segments.append(String(decoding: segment, as: UTF8.self)) }
            return segments
        }
    }

    /// Gives the segments to `body`, which must keep none.
    func withSegments<Result>(_ body: (inout PathSegments) -> Result) -> Result {
        var text = text
        return text.withUTF8 { bytes in
            var segments = PathSegments(bytes: UnsafeRawBufferPointer(bytes), separator: separator)
            return body(&segments)
        }
    }

    /// `text` with its percent-encodings (RFC 3986 §2.1) replaced; `nil` where that gives no text.
    package static func decode(_ text: Substring, refusingNull: Bool = false) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = iterator.next()?.hexDigit, let low = iterator.next()?.hexDigit,
                !refusingNull || high | low != 0
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Whether a decoded segment is, or holds between slashes, `.` or `..`.
    private static func climbs(_ segment: String) -> Bool {
        let text = segment.utf8
        guard text.contains(UInt8(ascii: ".")) else { return false }
        return text.split(separator: UInt8(ascii: "/")).contains { part in
            part.count <= 2 && part.allSatisfy { $0 == UInt8(ascii: ".") }
        }
    }
}

/// Goes from segment to segment of a path that is lent to it.
struct PathSegments {
    fileprivate let bytes: UnsafeRawBufferPointer
    fileprivate let separator: UInt8
    /// Of the separator before what is left.
    private var position = 0

    fileprivate init(bytes: UnsafeRawBufferPointer, separator: UInt8) {
        self.bytes = bytes
        self.separator = separator
    }

    var isAtEnd: Bool { position == bytes.count }

    /// `nil` after the last.
    mutating func next() -> UnsafeRawBufferPointer? {
        guard position < bytes.count else { return nil }
        let start = position + 1
        position = start
        while position < bytes.count, bytes[position] != separator { position += 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    /// Those that are left, with slashes between them; `nil` when there are none.
    var rest: String? {
        guard !isAtEnd else { return nil }
        let text = String(decoding: bytes[(position + 1)...], as: UTF8.self)
        if separator == UInt8(ascii: "/") { return text }
        return text.split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "/")
    }
}

extension UInt8 {
    fileprivate var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
