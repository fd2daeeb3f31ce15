extension ManifestParser {
    func file(_ value: Value) -> Located<Trigger>? {
        let keys = ["watch", "include", "exclude", "events", "settle", "existing"]
        guard let mapping = value.mapping(keys: keys) else { return nil }
        let watch = mapping.required("watch", "give the folder, such as ./inbox")
        let include = mapping["include"].map(globs)
        let exclude = mapping["exclude"].map(globs)
        let events = mapping["events"]?.distinctItems("a list of events") { $0.choice(FileTrigger.Kind.self) }
        let settle = mapping["settle"].flatMap { $0.duration(from: .zero, to: .seconds(3600)) }
        let existing = mapping["existing"].flatMap { $0.choice(FileTrigger.Existing.self) }
        guard let watch, let path = path(watch) else { return nil }
        var trigger = FileTrigger(watch: path, include: include ?? [], exclude: exclude ?? [])
        trigger.events = events.map(Set.init) ?? trigger.events
        trigger.settle = settle ?? trigger.settle
        trigger.existing = existing ?? trigger.existing
        return located(.file(trigger), watch)
    }

    private func globs(_ value: Value) -> [Glob] {
        let patterns = value.distinctItems("a list of patterns") { value in
            value.text("a pattern such as \"**/*.csv\"").flatMap { isGlob($0, value) ? $0 : nil }
        }
        return (patterns ?? []).map { Glob($0) }
    }

    private func isGlob(_ text: String, _ value: Value) -> Bool {
        if text.isEmpty {
            value.refuse("the pattern is empty and matches nothing")
        } else if text.hasPrefix("/") {
            value.refuse("'\(text)' begins with '/'; patterns are relative to the watched folder")
        } else if text.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) {
            value.refuse("'\(text)' has a '.' or '..'; patterns are relative to the watched folder and stay in it")
        } else if let unclosed = Self.unclosedBracket(text) {
            value.refuse("'\(text)' opens '\(unclosed)' and does not close it")
        } else {
            return true
        }
        return false
    }

    /// The bracket that is still open at the end of `pattern`. Nothing opens inside `[…]`, where a `]` that comes
    /// first is a member.
    private static func unclosedBracket(_ pattern: String) -> Character? {
        var rest = Substring(pattern)
        var braces = 0
        while let character = rest.popFirst() {
            switch character {
            case "\\": _ = rest.popFirst()
            case "{": braces += 1
            case "}": braces = max(0, braces - 1)
            case "[":
                if rest.first == "!" || rest.first == "^" { rest.removeFirst() }
                if rest.first == "]" { rest.removeFirst() }
                guard let end = rest.firstIndex(of: "]") else { return "[" }
                rest = rest[rest.index(after: end)...]
            default: continue
            }
        }
        return braces > 0 ? "{" : nil
    }
}
