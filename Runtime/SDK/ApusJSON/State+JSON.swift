public import Apus

extension State {
    /// The value of `key`, decoded from JSON; `nil` where there is none. Throws a `DecodingError` when it does not fit.
    ///
    /// Numbers that `increment` keeps can be read as `Int`.
    public func get<Value: Decodable>(_ key: String, as type: Value.Type) async throws -> Value? {
        try await get(key).map { try JSON.decode(type, from: $0) }
    }

    /// Writes `key` as JSON.
    public func set(_ key: String, to value: some Encodable) async throws {
        try await set(key, try JSON.encode(value))
    }
}

extension State.Entry {
    /// The value, decoded from JSON. Throws a `DecodingError` when it does not fit.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        try JSON.decode(type, from: value)
    }
}
