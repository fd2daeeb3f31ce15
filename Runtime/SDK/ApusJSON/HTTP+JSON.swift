public import Apus

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension HTTPRequest {
    /// The body, decoded from JSON; dates are ISO 8601.
    ///
    /// Throws an `HTTPError`: 400 with what is wrong and where when the body does not fit `type`, 413 when it is longer
    /// than `limit` bytes.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, upTo limit: Int = RequestBody.defaultLimit
    ) async throws -> Value {
        let bytes = try await body.collect(upTo: limit)
        do {
            return try JSON.decode(type, from: bytes)
        } catch let error as DecodingError {
            throw HTTPError(400, "The body does not fit: \(error.explanation).\n")
        }
    }
}

extension HTTPResponse {
    /// A value as `application/json`, with sorted keys and a newline at the end; dates are ISO 8601.
    public static func json(_ value: some Encodable, status: Int = 200) throws -> HTTPResponse {
        .bytes(try JSON.encode(value) + [UInt8(ascii: "\n")], type: "application/json", status: status)
    }
}

extension DecodingError {
    /// Where, and what was expected, for whoever sent it.
    var explanation: String {
        switch self {
        case .keyNotFound(let key, let context): "'\(Self.path(context.codingPath + [key]))' is missing"
        case .valueNotFound(let type, let context): "'\(Self.path(context.codingPath))' must not be null (\(type))"
        case .typeMismatch(let type, let context): "'\(Self.path(context.codingPath))' is not of the type \(type)"
        case .dataCorrupted(let context) where context.codingPath.isEmpty: "it is not valid JSON"
        case .dataCorrupted(let context): "'\(Self.path(context.codingPath))': \(context.debugDescription)"
        @unknown default: "\(self)"
        }
    }

    /// Such as `lines[2].price`; the whole body is `.`.
    private static func path(_ keys: [any CodingKey]) -> String {
        let path = keys.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return path.isEmpty ? "." : path
    }
}

/// JSON as this module reads and writes it everywhere.
enum JSON {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return [UInt8](try encoder.encode(value))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(type, from: Data(bytes))
    }
}
