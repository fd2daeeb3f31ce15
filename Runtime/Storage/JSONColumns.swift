import Events
import Foundation

// Columns of JSON.

/// The extension attributes of an event: an object, or NULL when there are none.
enum ExtensionAttributes {
    static func encode(_ attributes: [String: String]) -> [UInt8]? {
        if attributes.isEmpty { return nil }
        return JSONWriter.object { json in
            for (name, value) in attributes { json.field(name, value) }
        }
    }

    static func decode(_ column: String?) throws -> [String: String] {
        guard let column else { return [:] }
        return try JSONDecoder().decode([String: String].self, from: Data(column.utf8))
    }
}

/// Header fields: an array of pairs, since their order matters and their names may repeat.
enum HeaderColumn {
    static func encode(_ fields: [HeaderField]) -> [UInt8] { JSONWriter.array { write(fields, to: &$0) } }

    fileprivate static func write(_ fields: [HeaderField], to json: inout JSONWriter) {
        for field in fields {
            json.array {
                $0.string(field.name)
                $0.string(field.value)
            }
        }
    }

    static func decode(_ column: String) throws -> [HeaderField] {
        try fields(JSONDecoder().decode([[String]].self, from: Data(column.utf8)))
    }

    fileprivate static func fields(_ pairs: [[String]]) throws -> [HeaderField] {
        try pairs.map { pair in
            guard pair.count == 2 else { throw StorageError(.damaged, "a header field of \(pair.count) parts") }
            return HeaderField(pair[0], pair[1])
        }
    }
}

/// The head of an HTTP request: an object, or NULL for every other event.
enum RequestColumn {
    private struct Document: Decodable {
        var method: String
        var path: String
        var query: String
        var parameters: [[String]]
        var headers: [[String]]
        var address: String
    }

    static func encode(_ head: RequestHead?) -> [UInt8]? {
        guard let head else { return nil }
        return JSONWriter.object { json in
            json.field("method", head.method)
            json.field("path", head.path)
            json.field("query", head.query)
            json.field("parameters", array: { HeaderColumn.write(head.parameters, to: &$0) })
            json.field("headers", array: { HeaderColumn.write(head.headers, to: &$0) })
            json.field("address", head.remoteAddress)
        }
    }

    static func decode(_ column: String?) throws -> RequestHead? {
        guard let column else { return nil }
        let document = try JSONDecoder().decode(Document.self, from: Data(column.utf8))
        return RequestHead(
            method: document.method, path: document.path, query: document.query,
            parameters: try HeaderColumn.fields(document.parameters),
            headers: try HeaderColumn.fields(document.headers), remoteAddress: document.address)
    }
}
