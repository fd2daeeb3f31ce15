#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Text that is what its UTF-8 bytes are, as the store and the file system see it.
///
/// Swift takes canonically equivalent strings for equal: `é` as one scalar and as two. As keys of one dictionary, two
/// state keys or two files with such names would become one.
package struct ExactText: Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var isEmpty: Bool { text.utf8.isEmpty }

    /// In bytes.
    package var count: Int { text.utf8.count }

    package func hasPrefix(_ prefix: ExactText) -> Bool { text.utf8.starts(with: prefix.text.utf8) }

    package func hasSuffix(_ suffix: ExactText) -> Bool {
        text.utf8.count >= suffix.count && text.utf8.suffix(suffix.count).elementsEqual(suffix.text.utf8)
    }

    /// What follows `prefix`; `nil` for a text that does not begin with it.
    package func dropping(prefix: ExactText) -> ExactText? {
        guard hasPrefix(prefix) else { return nil }
        return ExactText(String(Substring(text.utf8.dropFirst(prefix.count))))
    }
}

extension ExactText: Hashable {
    package static func == (left: ExactText, right: ExactText) -> Bool {
        let count = left.count
        guard count == right.count, count > 0 else { return count == right.count }
        var (left, right) = (left.text, right.text)
        // There is memory where there are bytes.
        return left.withUTF8 { left in right.withUTF8 { memcmp(left.baseAddress!, $0.baseAddress!, count) == 0 } }
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension ExactText: Comparable {
    package static func < (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension ExactText: ExpressibleByStringInterpolation, CustomStringConvertible {
    package init(stringLiteral text: String) { self.text = text }

    package var description: String { text }
}

/// A key of the state.
package typealias StateKey = ExactText
