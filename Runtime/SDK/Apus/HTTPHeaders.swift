package import Wire

/// Header fields in their order. Names are compared without case (RFC 9110 §5.1).
public struct HTTPHeaders: Sendable {
    private enum Storage {
        case fields([WireField])
        /// As they came: most handlers ask for few of them.
        case received(ReceivedFields)
    }

    private var storage: Storage

    package var fields: [WireField] {
        get {
            switch storage {
            case .fields(let fields): fields
            case .received(let received): received.fields
            }
        }
        set { storage = .fields(newValue) }
    }

    package init(fields: [WireField]) { storage = .fields(fields) }

    init(_ received: ReceivedFields) { storage = .received(received) }

    /// Creates an empty list.
    public init() { self.init(fields: []) }

    /// The first value of the field `name`. Setting it replaces every field of that name; `nil` removes them.
    public subscript(name: String) -> String? {
        get {
            switch storage {
            case .fields(let fields): fields.first { $0.name.equalsIgnoringCase(name) }?.value
            case .received(let received): received.first { name.utf8.equalIgnoringCase($0) }
            }
        }
        set {
            fields.removeAll { $0.name.equalsIgnoringCase(name) }
            if let newValue { fields.append(WireField(name, newValue)) }
        }
    }

    /// Every value of the field `name`, in order.
    public func all(_ name: String) -> [String] {
        fields.filter { $0.name.equalsIgnoringCase(name) }.map(\.value)
    }

    /// Adds a field and keeps those of the same name, as `Set-Cookie` needs.
    public mutating func add(_ name: String, _ value: String) { fields.append(WireField(name, value)) }
}

extension HTTPHeaders: Hashable {
    /// Whether both have the same fields in the same order.
    public static func == (one: HTTPHeaders, other: HTTPHeaders) -> Bool { one.fields == other.fields }

    /// Feeds the fields to `hasher`.
    public func hash(into hasher: inout Hasher) { hasher.combine(fields) }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    /// Creates the list from `["name": "value"]`.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(fields: elements.map { WireField($0.0, $0.1) })
    }
}

extension HTTPHeaders: RandomAccessCollection {
    /// Always 0.
    public var startIndex: Int { 0 }
    /// The number of fields.
    public var endIndex: Int {
        switch storage {
        case .fields(let fields): fields.count
        case .received(let received): received.count
        }
    }
    /// The field at `position`.
    public subscript(position: Int) -> (name: String, value: String) {
        (fields[position].name, fields[position].value)
    }
    /// Goes through the fields in order.
    public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
        fields.map { ($0.name, $0.value) }.makeIterator()
    }
}

extension String {
    func equalsIgnoringCase(_ other: String) -> Bool { utf8.equalIgnoringCase(other.utf8) }
}

extension Collection<UInt8> {
    func equalIgnoringCase(_ other: some Collection<UInt8>) -> Bool {
        count == other.count && elementsEqual(other) { $0.asciiLowercased == $1.asciiLowercased }
    }
}

extension UInt8 {
    var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}
