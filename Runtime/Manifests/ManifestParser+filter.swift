import Events

extension ManifestParser {
    private static let dialects = ["exact", "prefix", "suffix", "all", "any", "not"]
    /// Filters within filters; nobody reads what is deeper.
    private static let deepestFilter = 8

    /// A filter on the attributes of messages to `topic`, which no message of it may be unable to pass.
    func filter(_ value: Value, of topic: String) -> EventFilter? {
        let known = report.problems.count
        guard let filter = filter(value, depth: 1), report.problems.count == known else { return nil }
        if let reason = FilterCheck(topic: topic).contradiction(in: filter) { value.refuse("never matches: \(reason)") }
        return filter
    }

    /// The dialects of one mapping must all match.
    private func filter(_ value: Value, depth: Int) -> EventFilter? {
        guard depth <= Self.deepestFilter else {
            value.refuse("filters more than \(Self.deepestFilter) deep in each other; write it flatter")
            return nil
        }
        guard let mapping = value.mapping(keys: Self.dialects) else { return nil }
        if mapping.entries.isEmpty { value.refuse("an empty filter; expected \(Value.list(Self.dialects))") }
        let parts = mapping.entries.flatMap { entry -> [EventFilter] in
            switch entry.key {
            case "exact": comparisons(entry.value) { .exact(attribute: $0, value: $1) }
            case "prefix": comparisons(entry.value) { .prefix(attribute: $0, value: $1) }
            case "suffix": comparisons(entry.value) { .suffix(attribute: $0, value: $1) }
            case "all": filters(entry.value, depth: depth)
            case "any": [.any(filters(entry.value, depth: depth))]
            case "not": filter(entry.value, depth: depth + 1).map { [.not($0)] } ?? []
            default: []
            }
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private func filters(_ value: Value, depth: Int) -> [EventFilter] {
        (value.items("a list of filters") ?? []).compactMap { filter($0, depth: depth + 1) }
    }

    private func comparisons(_ value: Value, _ make: (String, ExactText) -> EventFilter) -> [EventFilter] {
        guard let mapping = value.mapping("a mapping from attributes to texts, such as { subject: orders/ }") else {
            return []
        }
        if mapping.entries.isEmpty { value.refuse("empty; give an attribute and a text, such as { subject: orders/ }") }
        return mapping.entries.compactMap { entry in
            guard checkAttribute(entry), let text = entry.value.textAsWritten("a text") else { return nil }
            guard !text.isEmpty else {
                entry.value.refuse("an empty text; no attribute of an event is empty")
                return nil
            }
            return make(entry.key, ExactText(text))
        }
    }

    private func checkAttribute(_ entry: Mapping.Entry) -> Bool {
        if Event.isAttributeName(entry.key) { return true }
        let name = String(entry.key.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) })
        let near = Event.isAttributeName(name) ? "; did you mean '\(name)'?" : ""
        let what =
            entry.key == "data"
            ? "'data' is no attribute; filters see only attributes of the event, such as type and subject"
            : "'\(entry.key.prefix(80))' is no attribute of an event; names have 1 to 64 lowercase letters and digits"
        report.add(entry.position, what + near)
        return false
    }
}
