/// Which events are wanted, by their attributes: the filter dialects of the CloudEvents Subscriptions API 1.0 that need no
/// language of their own
/// (https://github.com/cloudevents/spec/blob/main/subscriptions/spec.md#324-filters).
///
/// Texts are compared byte by byte. An event without the attribute matches no `exact`, `prefix` or `suffix`.
package indirect enum EventFilter: Sendable, Hashable {
    case exact(attribute: String, value: ExactText)
    case prefix(attribute: String, value: ExactText)
    case suffix(attribute: String, value: ExactText)
    /// Each of them must match.
    case all([EventFilter])
    /// At least one must match.
    case any([EventFilter])
    case not(EventFilter)

    package func matches(_ event: Event) -> Bool {
        switch self {
        case .exact(let attribute, let value): event.text(of: attribute) == value
        case .prefix(let attribute, let value): event.text(of: attribute)?.hasPrefix(value) ?? false
        case .suffix(let attribute, let value): event.text(of: attribute)?.hasSuffix(value) ?? false
        case .all(let filters): filters.allSatisfy { $0.matches(event) }
        case .any(let filters): filters.contains { $0.matches(event) }
        case .not(let filter): !filter.matches(event)
        }
    }
}

extension EventFilter: CustomStringConvertible {
    /// One line for people, such as `subject=shop/* and not region=eu`.
    package var description: String {
        switch self {
        case .exact(let attribute, let value): "\(attribute)=\(value)"
        case .prefix(let attribute, let value): "\(attribute)=\(value)*"
        case .suffix(let attribute, let value): "\(attribute)=*\(value)"
        case .all(let filters): filters.map(\.operand).joined(separator: " and ")
        case .any(let filters): filters.map(\.operand).joined(separator: " or ")
        case .not(let filter): "not \(filter.operand)"
        }
    }

    private var operand: String {
        switch self {
        case .exact, .prefix, .suffix, .not: description
        case .all, .any: "(\(description))"
        }
    }
}

extension Event {
    /// The attribute by its CloudEvents name; `nil` for one that the event lacks.
    package func attribute(_ name: String) -> String? {
        switch name {
        case "specversion": "1.0"
        case "id": id
        case "source": source
        case "type": type
        case "time": time.description
        case "subject": subject
        case "datacontenttype": dataContentType
        default: extensions[name]
        }
    }

    fileprivate func text(of attribute: String) -> ExactText? { self.attribute(attribute).map { ExactText($0) } }

    /// Whether an attribute can have this name: lowercase letters and digits
    /// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#naming-conventions). The specification wants at
    /// most 20 where that is possible; some extensions in use are longer.
    package static func isAttributeName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name != "data"
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
    }
}
