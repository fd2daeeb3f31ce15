import Yams

/// A manifest's text as YAML nodes. What is wrong with the YAML itself goes to the report.
enum YAMLDocument {
    /// The root of the only document of `text`; `nil` when there is nothing to go on with.
    static func compose(_ text: String, report: Report) -> Node? {
        var text = text
        var duplicates = 0
        while true {
            do {
                let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
                guard let root = try parser.nextRoot() else {
                    report.add(
                        Position(line: 1, column: 1), "the file is empty; a manifest has at least 'name' and 'handler'")
                    return nil
                }
                if duplicates > 0 { reportDuplicates(in: root, report) }
                checkEnd(parser, report)
                return root
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) where duplicates < marks.count {
                guard let changed = DuplicateKey.mark(at: context.mark, of: text, with: marks[duplicates]) else {
                    report.add(Position(context.mark), "duplicate key '\(keys.first ?? "")'; keep one of them")
                    return nil
                }
                text = changed
                duplicates += 1
            } catch {
                let (position, message) = explain(error)
                report.add(position, message)
                return nil
            }
        }
    }

    /// One document a function: what follows the first is refused rather than ignored.
    private static func checkEnd(_ parser: Parser, _ report: Report) {
        do {
            guard let second = try parser.nextRoot() else { return }
            report.add(
                second.mark.map(Position.init),
                "a second document; a file declares one function, so give it its own file")
        } catch {
            let (position, message) = explain(error)
            report.add(position, message)
        }
    }

    private static func explain(_ error: any Error) -> (Position?, String) {
        switch error {
        case YamlError.scanner(let context, let problem, let mark, _),
            YamlError.parser(let context, let problem, let mark, _),
            YamlError.composer(let context, let problem, let mark, _):
            let origin = context.map { " (\($0.text), which begins at \($0.mark.line):\($0.mark.column))" } ?? ""
            return (Position(mark), "not valid YAML: \(problem)\(origin)")
        case YamlError.reader(let problem, let offset, _, let yaml):
            let before = offset.map { yaml.prefix($0) } ?? ""
            let line = before.count { $0.isNewline } + 1
            let column = before.reversed().prefix { !$0.isNewline }.count + 1
            return (Position(line: line, column: column), "not valid YAML: \(problem)")
        default:
            return (nil, "not valid YAML: \(error)")
        }
    }

    // MARK: duplicate keys

    /// Yams stops at a duplicate key and tells only its first place. So that all problems of a file are told, the key
    /// there gets its first letter replaced by one of these (private use, as wide as what it replaces), and the text
    /// is read again.
    private static let marks = (0xE000..<0xE040 as Range<UInt32>).compactMap(Unicode.Scalar.init)

    /// Whether `key` is the earlier of two and stands in the tree only so that the later can be reported.
    static func isMarked(_ key: String) -> Bool { key.unicodeScalars.first.map(marks.contains) ?? false }

    private static func reportDuplicates(in node: Node, _ report: Report) {
        switch node {
        case .scalar, .alias: return
        case .sequence(let items): for item in items { reportDuplicates(in: item, report) }
        case .mapping(let pairs):
            for (key, value) in pairs {
                reportDuplicates(in: value, report)
                guard let text = key.scalar?.string, isMarked(text) else { continue }
                let rest = text.unicodeScalars.dropFirst()
                let twin = Array(pairs.keys).last {
                    $0.scalar.map { !isMarked($0.string) && $0.string.unicodeScalars.dropFirst().elementsEqual(rest) }
                        ?? false
                }
                guard let twin, let name = twin.scalar?.string, let line = key.mark?.line else { continue }
                report.add(twin.mark.map(Position.init), "duplicate key '\(name)'; line \(line) has it already")
            }
        }
    }
}

private enum DuplicateKey {
    /// `text` with the first character of the key that begins at `place` replaced; `nil` where no key's text begins.
    static func mark(at place: Mark, of text: String, with mark: Unicode.Scalar) -> String? {
        var scalars = text.unicodeScalars
        var index = scalars.startIndex
        for _ in 1..<max(1, place.line) {
            guard let end = scalars[index...].firstIndex(of: "\n") else { return nil }
            index = scalars.index(after: end)
        }
        guard scalars.formIndex(&index, offsetBy: place.column - 1, limitedBy: scalars.endIndex) else { return nil }
        if index < scalars.endIndex, "\"'".unicodeScalars.contains(scalars[index]) {
            scalars.formIndex(after: &index)
        }
        guard index < scalars.endIndex, scalars[index].properties.isAlphabetic || scalars[index] == "_" else {
            return nil
        }
        scalars.replaceSubrange(index...index, with: CollectionOfOne(mark))
        return String(scalars)
    }
}

extension Position {
    init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }
}
