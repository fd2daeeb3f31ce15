/// What a function says of its own failure, by a contract in which errors have types. A class, so that what may be thrown
/// on the path of every request stays small.
package final class FunctionError: Sendable, Hashable, CustomStringConvertible {
    /// Such as `ValueError`. At most 64 characters, without spaces and control characters: clients see it.
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

    package static func == (left: FunctionError, right: FunctionError) -> Bool {
        (left.type, left.message, left.payload) == (
            right.type, right.message, right.payload
        )
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(type)
        hasher.combine(message)
        hasher.combine(payload)
    }

    /// For the log.
    package var description: String { message.isEmpty ? type : "\(type): \(message)" }
}
