/// What a function says of its own failure, by a contract in which errors have types.
package struct FunctionError: Sendable, Hashable {
    /// Such as `ValueError`. At most 256 bytes, without control characters: clients see it.
    package let type: String
    package let message: String
    /// The whole error as the runtime told it, in JSON.
    package let payload: [UInt8]

    package init(type: String, message: String, payload: [UInt8]) {
        let visible = type.unicodeScalars.filter { !$0.properties.isWhitespace && $0.value >= 0x20 && $0.value != 0x7F }
        self.type = String(String.UnicodeScalarView(visible.prefix(64)))
        self.message = message
        self.payload = payload
    }

    /// For the log.
    package var description: String { message.isEmpty ? type : "\(type): \(message)" }
}
