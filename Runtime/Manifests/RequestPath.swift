/// The path of a request: split at `/`, then percent-decoded segment by segment, so that `%2F` stays inside one.
///
/// Paths that a handler could be tricked with are refused rather than rewritten: `.` and `..` as a segment, or between
/// decoded slashes, however encoded; NUL; percent-encodings that are incomplete or not UTF-8.
package struct RequestPath: Sendable, Hashable {
    package let segments: [String]

    /// `nil` for a path that is not valid. `path` begins with `/`; `/` alone has no segments.
    package init?(_ path: Substring) {
        var path = path
        guard let segments = path.withUTF8(Self.split) else { return nil }
        self.segments = segments
    }

    private static func split(_ path: UnsafeBufferPointer<UInt8>) -> [String]? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        var segments: [String] = []
        guard path.count > 1 else { return segments }
        segments.reserveCapacity(4)
        var (start, end) = (1, 1)
        while end <= path.count {
            if end == path.count || path[end] == UInt8(ascii: "/") {
                guard let segment = segment(UnsafeBufferPointer(rebasing: path[start..<end])) else { return nil }
                segments.append(segment)
                start = end + 1
            }
            end += 1
        }
        return segments
    }

    private static func segment(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        // Nothing else can be encoded, or climb.
        guard bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: ".") }) else { return text }
        guard let segment = decode(text[...], refusingNull: true), !climbs(segment) else { return nil }
        return segment
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
