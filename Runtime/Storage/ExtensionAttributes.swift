import Foundation

/// The extension attributes of an event, as a column: a JSON object, or NULL when there are none.
enum ExtensionAttributes {
    static func encode(_ attributes: [String: String]) throws -> String? {
        if attributes.isEmpty { return nil }
        return String(decoding: try JSONEncoder().encode(attributes), as: UTF8.self)
    }

    static func decode(_ column: String?) throws -> [String: String] {
        guard let column else { return [:] }
        return try JSONDecoder().decode([String: String].self, from: Data(column.utf8))
    }
}
