import Events
import Foundation

// Columns of JSON. They are written by hand: an encoder would cost an event more than its insert does.

/// The extension attributes of an event: an object, or NULL when there are none.
enum ExtensionAttributes {
    static func encode(_ attributes: [String: String]) -> String? {
        if attributes.isEmpty { return nil }
        let fields = attributes.map { Problem.quoted($0.key) + ":" + Problem.quoted($0.value) }
        return "{" + fields.joined(separator: ",") + "}"
    }

    static func decode(_ column: String?) throws -> [String: String] {
        guard let column else { return [:] }
        return try JSONDecoder().decode([String: String].self, from: Data(column.utf8))
    }
}

/// Header fields: an array of pairs, since their order matters and their names may repeat.
enum HeaderColumn {
    static func encode(_ fields: [HeaderField]) -> String {
        let pairs = fields.map { "[" + Problem.quoted($0.name) + "," + Problem.quoted($0.value) + "]" }
        return "[" + pairs.joined(separator: ",") + "]"
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

    static func encode(_ head: RequestHead?) -> String? {
        guard let head else { return nil }
        return "{\"method\":" + Problem.quoted(head.method) + ",\"path\":" + Problem.quoted(head.path)
            + ",\"query\":" + Problem.quoted(head.query) + ",\"parameters\":" + HeaderColumn.encode(head.parameters)
            + ",\"headers\":" + HeaderColumn.encode(head.headers) + ",\"address\":"
            + Problem.quoted(head.remoteAddress) + "}"
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
