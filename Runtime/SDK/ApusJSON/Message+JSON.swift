public import Apus

extension Context {
    /// Sends a value as JSON to a function or to a topic: see `send(_:to:contentType:attributes:after:)`.
    public func send(
        _ value: some Encodable, to target: String, attributes: [String: String] = [:], after delay: Duration = .zero
    ) async throws {
        try await send(
            try JSON.encode(value), to: target, contentType: "application/json", attributes: attributes, after: delay)
    }
}

extension StateEvent {
    /// The value, decoded from JSON; dates are ISO 8601. `nil` when the key was deleted. Throws a `PermanentFailure` when it
    /// does not fit, since it never will.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value? {
        guard let value else { return nil }
        do {
            return try JSON.decode(type, from: value)
        } catch let error as DecodingError {
            throw PermanentFailure("the value of '\(key)' in '\(namespace)' does not fit: \(error.explanation)")
        }
    }
}

extension MessageEvent {
    /// The data, decoded from JSON; dates are ISO 8601. Throws a `PermanentFailure` when it does not fit, since it never
    /// will.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSON.decode(type, from: data)
        } catch let error as DecodingError {
            throw PermanentFailure("the message \(id) from \(source) does not fit: \(error.explanation)")
        }
    }
}
