import Events

extension ManifestParser {
    /// The triggers that could be read, each with the place of what a later check would complain about.
    ///
    /// - Parameter namespace: the function's own.
    func triggers(_ value: Value?, namespace: String) -> [Located<Trigger>] {
        guard let items = value?.items("a list of triggers") else { return [] }
        return items.compactMap { trigger($0, namespace: namespace) }
    }

    private func trigger(_ value: Value, namespace: String) -> Located<Trigger>? {
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
        switch kind {
        case .http: return http(entry.value)
        case .timer: return timer(entry.value).map { located(.timer($0), entry.value) }
        case .file: return file(entry.value)
        case .topic: return topicTrigger(entry.value).map { located(.topic($0), entry.value) }
        case .state: return state(entry.value, namespace: namespace).map { located(.state($0), entry.value) }
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

    /// A name alone, or a name with a filter.
    private func topicTrigger(_ value: Value) -> TopicTrigger? {
        if value.isScalar { return topic(value).map { TopicTrigger($0) } }
        guard let mapping = value.mapping(keys: ["name", "filter"]) else { return nil }
        let name = mapping.required("name", "give the topic, such as 'name: order.placed'").flatMap(topic)
        let filter = mapping["filter"].flatMap { self.filter($0, of: name ?? "") }
        return name.map { TopicTrigger($0, filter: filter) }
    }

    private func state(_ value: Value, namespace own: String) -> StateTrigger? {
        guard let mapping = value.mapping(keys: ["prefix", "namespace"]) else { return nil }
        let namespace = mapping["namespace"].flatMap(name)?.value ?? own
        guard
            let prefix = mapping.required("prefix", "give the beginning of the keys to follow, such as \"orders/\"")?
                .text("the beginning of a key")
        else { return nil }
        guard prefix.utf8.count <= 1024 else {
            mapping["prefix"]?.refuse("longer than a key can be (1024 bytes)")
            return nil
        }
        return StateTrigger(prefix: prefix, namespace: namespace)
    }
}
