import Wire

/// The values of the `{parameters}` in the manifest's route, percent-decoded, by their names.
public struct PathParameters: Sendable {
    private enum Storage {
        case values([String: String])
        /// As they came: to find one of a few takes a third of what it takes to make a dictionary of them.
        case received(ReceivedFields)
    }

    private var storage: Storage

    init(_ received: ReceivedFields) { storage = .received(received) }

    /// Creates those of a dictionary.
    public init(_ values: [String: String]) { storage = .values(values) }

    /// All of them.
    public var values: [String: String] {
        switch storage {
        case .values(let values): values
        case .received(let received):
            Dictionary(received.fields.map { ($0.name, $0.value) }) { _, last in last }
        }
    }

    /// The value of the parameter `name`; `nil` where the route has none of that name, or its `{name?}` is left out.
    public subscript(name: String) -> String? {
        get {
            switch storage {
            case .values(let values): return values[name]
            case .received(let received):
                var name = name
                return name.withUTF8 { name in
                    let name = UnsafeRawBufferPointer(name)
                    return received.first { $0.count == name.count && $0.elementsEqual(name) }
                }
            }
        }
        set {
            var values = values
            values[name] = newValue
            storage = .values(values)
        }
    }
}

extension PathParameters: Hashable {
    /// Whether both have the same values for the same names.
    public static func == (one: PathParameters, other: PathParameters) -> Bool { one.values == other.values }

    /// Feeds names and values to `hasher`.
    public func hash(into hasher: inout Hasher) { hasher.combine(values) }
}

extension PathParameters: ExpressibleByDictionaryLiteral {
    /// Creates them from `["name": "value"]`.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(Dictionary(elements) { _, last in last })
    }
}

extension PathParameters: Sequence {
    /// Goes through them in no particular order.
    public func makeIterator() -> Dictionary<String, String>.Iterator { values.makeIterator() }
}
