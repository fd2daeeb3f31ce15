import Events

/// An argument of a statement.
enum Binding {
    case null
    case integer(Int64)
    case text(String)
    /// A text, as its bytes.
    case utf8([UInt8])
    case blob([UInt8])
    /// A blob, as the bytes by which keys are compared.
    case key(StateKey)
    case id(InvocationID)

    static func optional(_ text: String?) -> Binding { text.map(Binding.text) ?? .null }
    static func optional(utf8 bytes: [UInt8]?) -> Binding { bytes.map(Binding.utf8) ?? .null }
    static func time(_ time: WallTime) -> Binding { .integer(time.milliseconds) }
}
