import Events

// Columns of JSON.

/// The extension attributes of an event: an object, or NULL when there are none.
enum ExtensionAttributes {
    static func encode(_ attributes: [String: String]) -> [UInt8]? {
        if attributes.isEmpty { return nil }
        return JSONWriter.object { json in
            for (name, value) in attributes { json.field(text: name, value) }
        }
    }

    static func decode(_ column: [UInt8]?) throws -> [String: String] {
        guard let column else { return [:] }
        var attributes: [String: String] = [:]
        try JSONReader.read(column) { json in
            try json.object { json, name in attributes[name] = try json.string() }
        }
        return attributes
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

    static func decode(_ column: [UInt8]) throws -> [HeaderField] {
        try JSONReader.read(column) { try read(from: &$0) }
    }

    fileprivate static func read(from json: inout JSONReader) throws -> [HeaderField] {
        try json.array { json in
            let pair = try json.array { try $0.string() }
            guard pair.count == 2 else { throw json.mismatch("a name and a value") }
            return HeaderField(pair[0], pair[1])
        }
    }
}

/// The head of an HTTP request: an object, or NULL for every other event.
enum RequestColumn {
    /// What `body` makes of the object, whose bytes are valid as long as it runs.
    static func encode<Result>(_ head: RequestHead, read body: (UnsafeRawBufferPointer) -> Result) -> Result {
        JSONWriter.object(
            { json in
                json.field("method", head.method)
                json.field("path", head.path)
                json.field("query", head.query)
                json.field("parameters", array: { HeaderColumn.write(head.parameters, to: &$0) })
                json.field("headers", array: { HeaderColumn.write(head.headers, to: &$0) })
                json.field("address", head.remoteAddress)
            }, read: body)
    }

    static func decode(_ column: [UInt8]?) throws -> RequestHead? {
        guard let column else { return nil }
        return try JSONReader.read(column) { try read(from: &$0) }
    }

    private static func read(from json: inout JSONReader) throws -> RequestHead {
        var (method, path, query, address) = (String?.none, String?.none, String?.none, String?.none)
        var (parameters, headers) = ([HeaderField](), [HeaderField]())
        try json.object { json, name in
            switch name {
            case "method": method = try json.string()
            case "path": path = try json.string()
            case "query": query = try json.string()
            case "parameters": parameters = try HeaderColumn.read(from: &json)
            case "headers": headers = try HeaderColumn.read(from: &json)
            case "address": address = try json.string()
            default: throw json.mismatch("no '\(name)'")
            }
        }
        guard let method, let path, let query, let address else { throw json.mismatch("all parts of a request before") }
        return RequestHead(
            method: method, path: path, query: query, parameters: parameters, headers: headers, remoteAddress: address)
    }
}

extension JSONReader {
    /// Reads all of a column.
    fileprivate static func read<Value>(_ column: [UInt8], _ value: (inout JSONReader) throws -> Value) throws -> Value
    {
        var json = JSONReader(column)
        do {
            let value = try value(&json)
            try json.end()
            return value
        } catch let error as Mismatch {
            throw StorageError(.damaged, "a column of JSON cannot be read", underlying: error)
        }
    }
}
