/// What a client prefers (RFC 7240): the two preferences that mean something here. Others, and what is malformed, are left
/// out, since a preference obliges nobody.
package struct Preferences: Sendable, Hashable {
    /// `respond-async` (§4.1): an answer at once, before the request has been processed.
    package private(set) var respondAsync = false
    /// `wait` (§4.3): how long the client waits for a response before it prefers one at once.
    package private(set) var wait: Duration?

    /// - Parameter values: of the fields `Prefer`, in their order. Of a preference that comes twice the first counts (§2).
    package init(_ values: [String]) {
        var seen: Set<String> = []
        for value in values {
            for preference in value[...].split(outsideQuotes: ",") {
                // Parameters of these two are not defined.
                let parts = preference.split(outsideQuotes: ";")
                guard let (name, word) = parts.first.flatMap(Self.pair), seen.insert(name).inserted else { continue }
                switch name {
                case "respond-async": respondAsync = true
                case "wait": wait = Self.seconds(word)
                default: continue
                }
            }
        }
    }

    /// `token [BWS "=" BWS word]`; names in lowercase.
    private static func pair(_ text: Substring) -> (name: String, word: Substring)? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0].trimmed
        guard !name.isEmpty, name.utf8.allSatisfy(\.isTokenCharacter) else { return nil }
        return (name.lowercased(), parts.count > 1 ? parts[1].trimmed.unquoted : "")
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
    func split(outsideQuotes separator: Character) -> [Substring] {
        var isQuoted = false
        var isEscaped = false
        return split { character in
            defer { isEscaped = isQuoted && character == "\\" && !isEscaped }
            if character == "\"", !isEscaped { isQuoted.toggle() }
            return character == separator && !isQuoted
        }.filter { !$0.trimmed.isEmpty }
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
