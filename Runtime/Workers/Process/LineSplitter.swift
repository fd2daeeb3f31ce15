import Glibc

/// Cuts what a worker prints into lines. Bytes in, lines out.
///
/// A line ends with LF or CR LF. What is not UTF-8 becomes U+FFFD. A line over 64 KiB is cut there, with a marker, and
/// its rest is dropped, so that a program that prints no line ends costs no memory.
package struct LineSplitter {
    package static let longest = 64 << 10
    package static let marker = " … [line cut at 64 KiB]"

    private var start: [UInt8] = []
    private var isCut = false

    package init() {}

    /// Takes bytes and gives each line that they complete, without its end.
    package mutating func take(_ bytes: UnsafeRawBufferPointer, _ line: (String) -> Void) {
        var rest = bytes
        while let end = Self.lineEnd(in: rest) {
            let part = UnsafeRawBufferPointer(rebasing: rest[..<end])
            if start.isEmpty, !isCut, part.count <= Self.longest {
                line(Self.text(part))
            } else {
                append(part)
                flush(line)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
        }
        append(rest)
    }

    /// `text`, which came as one line, with the same bound.
    static func cut(_ text: String) -> String {
        guard text.utf8.count > longest else { return text }
        return String(decoding: text.utf8.prefix(longest), as: UTF8.self) + marker
    }

    private static func lineEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        return memchr(base, Int32(UInt8(ascii: "\n")), bytes.count).map { UnsafeRawPointer($0) - base }
    }

    /// Gives the last line, which had no end.
    package mutating func finish(_ line: (String) -> Void) {
        if !start.isEmpty { flush(line) }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let room = Self.longest - start.count
        start.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[..<min(room, bytes.count)]))
        if bytes.count > room { isCut = true }
    }

    private mutating func flush(_ line: (String) -> Void) {
        line(start.withUnsafeBytes(Self.text) + (isCut ? Self.marker : ""))
        start.removeAll(keepingCapacity: start.capacity <= 4096)
        isCut = false
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        let end = bytes.last == UInt8(ascii: "\r") ? bytes.count - 1 : bytes.count
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<end]), as: UTF8.self)
    }
}
