package import Wire

/// Header fields in their order. Names are compared without case (RFC 9110 §5.1).
public struct HTTPHeaders: Sendable, Hashable {
    package var fields: [WireField]

    package init(fields: [WireField]) { self.fields = fields }

    /// Creates an empty list.
    public init() { fields = [] }

    /// The first value of the field `name`. Setting it replaces every field of that name; `nil` removes them.
    public subscript(name: String) -> String? {
        get { fields.first { $0.name.equalsIgnoringCase(name) }?.value }
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

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    /// Creates the list from `["name": "value"]`.
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { WireField($0.0, $0.1) }
    }
}

extension HTTPHeaders: RandomAccessCollection {
    /// Always 0.
    public var startIndex: Int { 0 }
    /// The number of fields.
    public var endIndex: Int { fields.count }
    /// The field at `position`.
    public subscript(position: Int) -> (name: String, value: String) {
        (fields[position].name, fields[position].value)
    }
}

extension String {
    func equalsIgnoringCase(_ other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8) { $0.asciiLowercased == $1.asciiLowercased }
    }
}

extension UInt8 {
    var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}
