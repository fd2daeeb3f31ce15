import Yams

/// A manifest's text as YAML nodes. What is wrong with the YAML itself goes to the report.
enum YAMLDocument {
    /// The root of the only document of `text`; `nil` when there is nothing to go on with.
    static func compose(_ text: String, report: Report) -> Node? {
        var text = text
        var duplicates = DuplicateKeys()
        while true {
            do {
                let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
                guard let root = try parser.nextRoot() else {
                    report.add(
                        Position(line: 1, column: 1), "the file is empty; a manifest has at least 'name' and 'handler'")
                    return nil
                }
                duplicates.report(in: root, to: report)
                report.superseded = Set(duplicates.names.keys)
                checkEnd(parser, report)
                return root
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                let name = names.first ?? ""
                guard let marked = duplicates.mark(name, at: context.mark, of: text) else {
                    report.add(Position(context.mark), "duplicate key '\(name)'; keep one of them")
                    return nil
                }
                text = marked
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
            if problem == "found character that cannot start any token" {
                let advice = "a tab cannot indent (use spaces), and no plain text begins with @ or ` (use quotes)"
                return (Position(mark), "not valid YAML: \(advice)")
            }
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
}

extension Position {
    init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }
}
