import Yams

/// One value of a manifest, with where it stands and what it is called, so that reading it can say what is wrong.
///
/// Every reading method reports and returns `nil` when the value is not what was expected; none of them throws.
struct Value {
    let node: Node
    /// Where it stands in the document, such as `workers.max`; empty for the document itself.
    let path: String
    let report: Report

    var position: Position { node.mark.map(Position.init) ?? Position(line: 1, column: 1) }

    /// Reports `message` at this value, under its path.
    func refuse(_ message: String) { report.add(position, underPath(message)) }

    /// Reports what may stand there, and is perhaps not meant.
    func warn(_ message: String) { report.warn(position, underPath(message)) }

    private func underPath(_ message: String) -> String { path.isEmpty ? message : "\(path): \(message)" }

    func expected(_ what: String, advice: String = "") {
        refuse("expected \(what), found \(found)\(advice)")
    }

    /// What stands there, for messages.
    var found: String {
        switch node {
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .alias: return "an alias"
        case .scalar(let scalar):
            let shown = scalar.string.count > 60 ? scalar.string.prefix(60) + "…" : scalar.string[...]
            switch ScalarKind(scalar) {
            case .null: return "nothing"
            case .boolean: return String(shown)
            case .integer, .fraction: return "the number \(shown)"
            case .text: return "'\(shown)'"
            }
        }
    }

    private var scalar: (kind: ScalarKind, text: String)? { node.scalar.map { (ScalarKind($0), $0.string) } }

    // MARK: scalars

    var isScalar: Bool { node.scalar != nil }

    func isText(_ text: String) -> Bool { scalar.map { $0.kind == .text && $0.text == text } ?? false }

    /// The place of a character of this text: exact for plain and quoted texts on one line, which is what routes and
    /// cron expressions are.
    func position(atScalar offset: Int) -> Position {
        switch node.scalar?.style {
        case .plain: Position(line: position.line, column: position.column + offset)
        case .singleQuoted, .doubleQuoted: Position(line: position.line, column: position.column + offset + 1)
        default: position
        }
    }

    func text(_ what: String = "text") -> String? {
        guard let (kind, text) = scalar, kind == .text else {
            let isQuotable = scalar.map { $0.kind != .null } ?? false
            expected(what, advice: isQuotable ? "; put it in quotes" : "")
            return nil
        }
        guard !text.unicodeScalars.contains("\0") else {
            refuse("a NUL character; no text of a manifest may have one")
            return nil
        }
        return text
    }

    /// Text, or a number or boolean exactly as it is written: for arguments and environment variables.
    func textAsWritten(_ what: String) -> String? {
        guard let (kind, text) = scalar, kind != .null else {
            expected(what, advice: node.scalar == nil ? "" : "; write \"\" for an empty one")
            return nil
        }
        return kind == .text ? self.text(what) : text
    }

    func integer(in range: ClosedRange<Int>) -> Int? {
        guard let (kind, text) = scalar, kind == .integer, let number = ScalarKind.integer(text), range.contains(number)
        else {
            expected("a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// One of the names of `Choice`.
    func choice<Choice>(_: Choice.Type) -> Choice? where Choice: RawRepresentable<String> & CaseIterable {
        let names = Choice.allCases.map(\.rawValue)
        let what = names.count == 1 ? "'\(names[0])'" : "one of \(names.joined(separator: ", "))"
        guard let (kind, text) = scalar, kind == .text, let choice = Choice(rawValue: text) else {
            let near = scalar.map { Suggestion.phrase(for: $0.text, among: names) } ?? ""
            expected(what, advice: near)
            return nil
        }
        return choice
    }

    /// A duration from `least` to `most`.
    func duration(from least: Duration = .milliseconds(1), to most: Duration = .seconds(366 * 86_400)) -> Duration? {
        guard let (kind, text) = scalar, kind == .text, let duration = Quantity.duration(text) else {
            let isNumber = scalar?.kind == .integer
            expected(
                "a duration such as 200ms, 10s or 1h30m", advice: isNumber ? "; add a unit (ms, s, m, h or d)" : "")
            return nil
        }
        guard duration >= least else {
            expected("at least \(Quantity.text(least))")
            return nil
        }
        guard duration <= most else {
            expected("at most \(Quantity.text(most))")
            return nil
        }
        return duration
    }

    /// A number of bytes, at least `least`.
    func size(from least: Int64) -> Int64? {
        guard let (kind, text) = scalar, kind == .text || kind == .integer, let size = Quantity.size(text) else {
            let near = scalar.map { Self.sizeAdvice($0.text) } ?? ""
            expected("a size such as 256MiB, 1GB or a number of bytes", advice: near)
            return nil
        }
        guard size >= least else {
            expected("at least \(Quantity.text(size: least))")
            return nil
        }
        return size
    }

    private static func sizeAdvice(_ text: String) -> String {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard !digits.isEmpty, !suffix.isEmpty,
            let unit = Quantity.sizeUnits.last(where: {
                [suffix, suffix + "b", suffix + "ib"].contains($0.suffix.lowercased())
            })
        else { return "" }
        guard text != digits + unit.suffix else { return ", which is more than can be counted" }
        return "; did you mean '\(digits)\(unit.suffix)'?"
    }

    // MARK: lists

    /// The items of a list with at least one.
    ///
    /// - Parameter words: the items that are meant by a text where the list should be.
    func items(
        _ what: String, whenEmpty advice: String = "leave the key out, or give at least one",
        meantBy words: (String) -> [String] = { $0.split(separator: ", ").map(String.init) }
    ) -> [Value]? {
        guard let sequence = node.sequence else {
            expected(what, advice: list(words).map { "; write \($0)" } ?? "")
            return nil
        }
        guard !sequence.isEmpty else {
            refuse("the list is empty; \(advice)")
            return nil
        }
        return sequence.enumerated().map { index, item in
            Value(node: item, path: "\(path)[\(index)]", report: report)
        }
    }

    /// The text that stands there as a list in YAML, on one line.
    private func list(_ words: (String) -> [String]) -> String? {
        guard let (kind, text) = scalar, kind != .null, !text.contains(where: \.isNewline) else { return nil }
        let items = words(text).map { Node.scalar(Node.Scalar($0)) }
        guard !items.isEmpty else { return nil }
        let list = Node.sequence(Node.Sequence(items, Tag(.seq), .flow))
        let yaml = try? Yams.serialize(node: list, width: -1, allowUnicode: true)
        return yaml.map { String($0.prefix { !$0.isNewline }) }
    }

    /// The items of a list in which each may stand once, read by `read`; what `read` refuses is left out.
    func distinctItems<Item: Hashable>(_ what: String, _ read: (Value) -> Item?) -> [Item]? {
        guard let values = items(what) else { return nil }
        var seen: Set<Item> = []
        return values.compactMap { value in
            guard let item = read(value) else { return nil }
            if !seen.insert(item).inserted { value.refuse("\(value.found) is in the list already") }
            return item
        }
    }
}
