/// One element of a glob pattern. Brackets and braces without a partner have become literals.
enum GlobToken: Hashable {
    case literal(Unicode.Scalar)
    case slash
    /// `*`
    case run
    /// `**`, whether or not it is a whole segment.
    case tree
    /// `?`
    case one
    case set(GlobSet)
    case open, comma, close
}

/// The characters of `[…]`.
struct GlobSet: Sendable, Hashable {
    var ranges: [ClosedRange<UInt32>] = []
    var negated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        scalar != "/" && ranges.contains { $0.contains(scalar.value) } != negated
    }
}

extension GlobToken {
    /// Splits a pattern; `problem` is the first thing in it that cannot have been meant.
    static func read(_ pattern: String) -> (tokens: [GlobToken], problem: String?) {
        var reader = Reader(scalars: Array(pattern.unicodeScalars))
        reader.readAll()
        return (reader.tokens, reader.problem)
    }

    private struct Reader {
        let scalars: [Unicode.Scalar]
        var position = 0
        var tokens: [GlobToken] = []
        /// Where in `tokens` the open groups begin, and where the commas of each are.
        var groups: [(open: Int, commas: [Int])] = []
        var problem: String?

        mutating func readAll() {
            while position < scalars.count { readOne() }
            for group in groups {
                note("has a '{' without '}'")
                tokens[group.open] = .literal("{")
                for comma in group.commas { tokens[comma] = .literal(",") }
            }
        }

        private mutating func readOne() {
            let scalar = scalars[position]
            position += 1
            switch scalar {
            case "/": tokens.append(.slash)
            case "?": tokens.append(.one)
            case "*": readStars()
            case "[": readSet()
            case "{":
                groups.append((tokens.count, []))
                tokens.append(.open)
            case "," where !groups.isEmpty:
                groups[groups.count - 1].commas.append(tokens.count)
                tokens.append(.comma)
            case "}": closeGroup()
            default: tokens.append(.literal(scalar))
            }
        }

        /// More stars than two mean no more than two.
        private mutating func readStars() {
            let start = position
            while position < scalars.count, scalars[position] == "*" { position += 1 }
            tokens.append(position > start ? .tree : .run)
        }

        private mutating func closeGroup() {
            if groups.popLast() != nil { return tokens.append(.close) }
            note("has a '}' without '{'")
            tokens.append(.literal("}"))
        }

        /// A `]` right after the opening bracket, or after its `!`, stands for itself (glob(7)).
        private mutating func readSet() {
            var set = GlobSet()
            var next = position
            if next < scalars.count, scalars[next] == "!" || scalars[next] == "^" {
                set.negated = true
                next += 1
            }
            let first = next
            while next < scalars.count, scalars[next] != "/" {
                if scalars[next] == "]", next > first {
                    position = next + 1
                    return tokens.append(.set(set))
                }
                let low = scalars[next].value
                var high = low
                if next + 2 < scalars.count, scalars[next + 1] == "-", scalars[next + 2] != "]" {
                    high = scalars[next + 2].value
                    next += 2
                }
                if low <= high { set.ranges.append(low...high) } else { note("has a range that runs backwards") }
                next += 1
            }
            note("has a '[' without ']'")
            tokens.append(.literal("["))
        }

        private mutating func note(_ text: String) { problem = problem ?? text }
    }
}
