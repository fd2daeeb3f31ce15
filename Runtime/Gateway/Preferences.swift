import Events

/// What a client prefers (RFC 7240): the two preferences that mean something here. Others, and what is malformed, are left
/// out, since a preference obliges nobody.
package struct Preferences: Sendable, Hashable {
    /// `respond-async` (§4.1): an answer at once, before the request has been processed.
    package private(set) var respondAsync = false
    /// `wait` (§4.3): how long the client waits for a response before it prefers one at once.
    package private(set) var wait: Duration?

    /// - Parameter values: of the fields `Prefer`, in their order. Of a preference that comes twice the first counts (§2).
    package init(_ values: [String]) {
        var hasWait = false
        for value in values {
            // Nearly always it is this and no more.
            if value[...].lowercasedEquals("respond-async") {
                respondAsync = true
                continue
            }
            for preference in value[...].split(outsideQuotes: ",") {
                // Parameters of these two are not defined.
                guard let first = preference.split(outsideQuotes: ";").first else { continue }
                let (name, word) = Self.pair(first)
                if name.lowercasedEquals("respond-async") {
                    respondAsync = true
                } else if name.lowercasedEquals("wait"), !hasWait {
                    hasWait = true
                    wait = Self.seconds(word)
                }
            }
        }
    }

    /// `token [BWS "=" BWS word]`.
    private static func pair(_ text: Substring) -> (name: Substring, word: Substring) {
        guard let sign = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { return (text.trimmed, "") }
        return (text[..<sign].trimmed, text[text.utf8.index(after: sign)...].trimmed.unquoted)
    }

    /// Digits alone; as many as nobody waits count as the most.
    private static func seconds(_ word: Substring) -> Duration? {
        guard !word.isEmpty, word.utf8.allSatisfy(\.isDigit) else { return nil }
        return .seconds(min(Int(word) ?? mostSeconds, mostSeconds))
    }

    /// A day.
    private static let mostSeconds = 86_400
}

extension Substring {
    /// The parts between `separator`s that stand in no quoted string (RFC 9110 §5.6.4), without those that are blank.
    func split(outsideQuotes separator: Unicode.Scalar) -> [Substring] {
        var isQuoted = false
        var isEscaped = false
        return utf8.split { byte in
            defer { isEscaped = isQuoted && byte == UInt8(ascii: "\\") && !isEscaped }
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            return byte == UInt8(ascii: separator) && !isQuoted
        }.map { Substring($0) }.filter { !$0.trimmed.isEmpty }
    }

    /// Compares with a word in lowercase.
    func lowercasedEquals(_ word: StaticString) -> Bool {
        var text = self
        return text.withUTF8 { UnsafeRawBufferPointer($0).equals(lowercased: word) }
    }

    /// Without the spaces and tabs around it.
    var trimmed: Substring {
        let start = utf8.firstIndex { !$0.isBlank } ?? endIndex
        let end = utf8.lastIndex { !$0.isBlank }.map { utf8.index(after: $0) } ?? start
        return self[start..<end]
    }
}

extension Substring {
    /// Without the quotes around it. What is escaped within is no number, and nothing else is asked for.
    fileprivate var unquoted: Substring {
        count >= 2 && first == "\"" && last == "\"" ? dropFirst().dropLast() : self
    }
}
