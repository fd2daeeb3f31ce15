import Events

extension ManifestParser {
    /// The triggers that could be read, each with the place of what a later check would complain about.
    func triggers(_ value: Value?) -> [Located<Trigger>] {
        guard let items = value?.items("a list of triggers") else { return [] }
        return items.compactMap(trigger)
    }

    private func trigger(_ value: Value) -> Located<Trigger>? {
        let kinds = TriggerKind.allCases.map(\.rawValue)
        guard let mapping = value.mapping(keys: kinds) else { return nil }
        let known = mapping.entries.filter { kinds.contains($0.key) }
        guard known.count < 2 else {
            value.refuse("one trigger has one kind; begin '\(known[1].key)' with its own '-'")
            return nil
        }
        guard let entry = known.first, let kind = TriggerKind(rawValue: entry.key) else {
            if mapping.entries.isEmpty { value.refuse("an empty trigger; expected \(Value.list(kinds))") }
            return nil
        }
        Availability.check("trigger \(kind.rawValue)", at: entry.position, report)
        switch kind {
        case .http: return http(entry.value)
        case .timer: return timer(entry.value).map { located(.timer($0), entry.value) }
        case .file: return file(entry.value)
        case .topic: return topic(entry.value).map { located(.topic($0), entry.value) }
        case .state: return state(entry.value).map { located(.state(prefix: $0), entry.value) }
        }
    }

    func located(_ trigger: Trigger, _ value: Value) -> Located<Trigger> {
        Located(value: trigger, report: report, position: value.position)
    }

    /// A topic's or function's name: letters, digits, `.`, `_` and `-`.
    func topic(_ value: Value) -> String? {
        guard let text = value.text("a topic such as order.placed") else { return nil }
        let isWellFormed =
            text.first.map { $0.isASCII && ($0.isLetter || $0.isNumber) } ?? false && text.utf8.count <= 128
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        guard isWellFormed else {
            value.refuse(
                "'\(text.prefix(80))' is no topic; use 1 to 128 letters, digits, '.', '_' and '-', "
                    + "a letter or digit first")
            return nil
        }
        return text
    }

    private func state(_ value: Value) -> String? {
        guard let mapping = value.mapping(keys: ["prefix"]),
            let prefix = mapping.required("prefix", "give the beginning of the keys to follow, such as \"orders/\"")?
                .text("the beginning of a key")
        else { return nil }
        guard prefix.utf8.count <= 1024 else {
            mapping["prefix"]?.refuse("longer than a key can be (1024 bytes)")
            return nil
        }
        return prefix
    }
}
