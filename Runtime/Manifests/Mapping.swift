import Yams

/// A mapping whose keys have been checked: what is unknown or no key at all has been reported.
struct Mapping {
    struct Entry {
        var key: String
        /// Of the key.
        var position: Position
        var value: Value
    }

    let value: Value
    let entries: [Entry]

    subscript(_ key: String) -> Value? { entry(key)?.value }

    func entry(_ key: String) -> Entry? { entries.first { $0.key == key } }

    /// The value of `key`, whose absence is reported at the mapping.
    func required(_ key: String, _ advice: String) -> Value? {
        guard let value = self[key] else {
            self.value.refuse("'\(key)' is missing; \(advice)")
            return nil
        }
        return value
    }
}

extension Value {
    /// This value as a mapping with no keys but `keys`.
    func mapping(keys: [String]) -> Mapping? {
        let what =
            "a mapping with \(keys.count == 1 ? "the key" : "keys such as") \(keys.prefix(3).joined(separator: ", "))"
        guard let mapping = mapping(what) else { return nil }
        for entry in mapping.entries where !keys.contains(entry.key) {
            let place = path.isEmpty ? "" : " in \(path)"
            let near = Suggestion.phrase(for: entry.key, among: keys)
            let advice = near.isEmpty ? "; expected \(Self.list(keys))" : near
            report.add(entry.position, "unknown key '\(entry.key.prefix(80))'\(place)\(advice)")
        }
        return mapping
    }

    /// This value as a mapping with any keys.
    func mapping(_ what: String) -> Mapping? {
        guard let mapping = node.mapping else {
            expected(what)
            return nil
        }
        return Mapping(value: self, entries: entries(of: mapping, depth: 0))
    }

    /// The value of `key` without checking anything: for what is said after the mapping has been read.
    func child(_ key: String) -> Value? {
        guard let node = node.mapping?.first(where: { $0.key.scalar?.string == key })?.value else { return nil }
        return Value(node: node, path: "\(path).\(key)", report: report)
    }

    /// `a`, `a or b`, `a, b or c`.
    static func list(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }

    /// Own keys first, then those that `<<` merges in (https://yaml.org/type/merge.html): a key that the mapping has
    /// itself, or an earlier merge brought, stays.
    private func entries(of mapping: Node.Mapping, depth: Int) -> [Mapping.Entry] {
        var own: [Mapping.Entry] = []
        var merged: [Mapping.Entry] = []
        for (key, node) in mapping {
            let position = key.mark.map(Position.init) ?? self.position
            guard let scalar = key.scalar, ScalarKind(scalar) != .null else {
                report.add(position, "a key has to be text")
                continue
            }
            if scalar.string == "<<", scalar.style == .plain {
                merged += self.merged(node, at: position, depth: depth)
            } else if !report.superseded.contains(position) {
                let path = path.isEmpty ? scalar.string : "\(path).\(scalar.string)"
                let value = Value(node: node, path: path, report: report)
                own.append(Mapping.Entry(key: scalar.string, position: position, value: value))
            }
        }
        var keys = Set(own.map(\.key))
        return own + merged.filter { keys.insert($0.key).inserted }
    }

    private func merged(_ node: Node, at position: Position, depth: Int) -> [Mapping.Entry] {
        let mappings = node.mapping.map { [$0] } ?? node.sequence?.compactMap(\.mapping) ?? []
        guard !mappings.isEmpty, mappings.count == node.sequence?.count ?? 1, depth < 16 else {
            report.add(position, "'<<' merges mappings: give it an alias such as *defaults, or a list of aliases")
            return []
        }
        return mappings.flatMap { entries(of: $0, depth: depth + 1) }
    }
}
