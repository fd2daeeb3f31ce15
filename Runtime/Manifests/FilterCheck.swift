package import Events

/// Finds filters that no message can pass. Pure.
///
/// The filter becomes alternatives, each of conditions that must hold together (its disjunctive normal form); it can match
/// when one of them can. Of a filter with very many alternatives only the first are looked at, and it gets the benefit of
/// the doubt.
package struct FilterCheck {
    private static let mostAlternatives = 256

    /// Attributes whose value is the same for every message that the filter sees.
    private let fixed: [String: ExactText]

    package init(topic: String) { fixed = ["specversion": "1.0", "apustarget": ExactText(topic)] }

    /// Why no message matches; `nil` when one may.
    package func contradiction(in filter: EventFilter) -> String? {
        guard let alternatives = alternatives(of: filter, isNegated: false) else { return nil }
        let reasons = alternatives.compactMap { contradiction(in: $0) }
        guard reasons.count == alternatives.count else { return nil }
        return reasons.first ?? "there is nothing that it could match"
    }

    // MARK: Alternatives

    fileprivate struct Condition: Hashable {
        enum Kind: Hashable { case exact, prefix, suffix }

        var kind: Kind
        var attribute: String
        var value: ExactText
        var isNegated: Bool
    }

    /// `nil` for too many.
    private func alternatives(of filter: EventFilter, isNegated: Bool) -> [[Condition]]? {
        func condition(_ kind: Condition.Kind, _ attribute: String, _ value: ExactText) -> [[Condition]] {
            [[Condition(kind: kind, attribute: attribute, value: value, isNegated: isNegated)]]
        }
        switch filter {
        case .exact(let attribute, let value): return condition(.exact, attribute, value)
        case .prefix(let attribute, let value): return condition(.prefix, attribute, value)
        case .suffix(let attribute, let value): return condition(.suffix, attribute, value)
        case .not(let filter): return alternatives(of: filter, isNegated: !isNegated)
        case .all(let filters): return isNegated ? union(filters, isNegated) : product(filters, isNegated)
        case .any(let filters): return isNegated ? product(filters, isNegated) : union(filters, isNegated)
        }
    }

    private func union(_ filters: [EventFilter], _ isNegated: Bool) -> [[Condition]]? {
        var result: [[Condition]] = []
        for filter in filters {
            guard let more = alternatives(of: filter, isNegated: isNegated) else { return nil }
            result += more
            guard result.count <= Self.mostAlternatives else { return nil }
        }
        return result
    }

    private func product(_ filters: [EventFilter], _ isNegated: Bool) -> [[Condition]]? {
        var result: [[Condition]] = [[]]
        for filter in filters {
            guard let factor = alternatives(of: filter, isNegated: isNegated) else { return nil }
            guard result.count * factor.count <= Self.mostAlternatives else { return nil }
            result = result.flatMap { left in factor.map { left + $0 } }
        }
        return result
    }

    // MARK: One alternative

    private func contradiction(in conditions: [Condition]) -> String? {
        let attributes = Set(conditions.map(\.attribute)).sorted()
        return attributes.lazy.compactMap { attribute in
            contradiction(of: attribute, conditions.filter { $0.attribute == attribute })
        }.first
    }

    /// Texts that begin and end in some way can always be found, so that only conditions of one kind exclude each other.
    private func contradiction(of attribute: String, _ conditions: [Condition]) -> String? {
        let value = fixed[attribute] ?? conditions.first { $0.kind == .exact && !$0.isNegated }?.value
        if let value, let other = conditions.first(where: { $0.holds(for: value) == $0.isNegated }) {
            return fixed[attribute] != nil
                ? "'\(attribute)' is always '\(value)', and \(other.wish)"
                : "'\(attribute)' cannot be '\(value)' when \(other.wish)"
        }
        for condition in conditions where !condition.isNegated && condition.kind != .exact {
            guard let other = conditions.first(where: { condition.excludes($0) }) else { continue }
            return "'\(attribute)' cannot \(condition.verb) when \(other.wish)"
        }
        return nil
    }
}

extension FilterCheck.Condition {
    /// Whether `text` is what the condition names, negated or not.
    func holds(for text: ExactText) -> Bool {
        switch kind {
        case .exact: text == value
        case .prefix: text.hasPrefix(value)
        case .suffix: text.hasSuffix(value)
        }
    }

    /// Of two about one end of the same attribute, of which this one is wanted: whether no text has both.
    func excludes(_ other: Self) -> Bool {
        guard other.kind == kind, kind != .exact else { return false }
        return other.isNegated ? other.holds(for: value) : !other.holds(for: value) && !holds(for: other.value)
    }

    var verb: String {
        switch kind {
        case .exact: "be '\(value)'"
        case .prefix: "begin with '\(value)'"
        case .suffix: "end with '\(value)'"
        }
    }

    var wish: String { "it must \(isNegated ? "not " : "")\(verb)" }
}
