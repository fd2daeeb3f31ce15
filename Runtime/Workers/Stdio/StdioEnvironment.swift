import Events

/// What a `stdio` program learns about its invocation from its environment.
struct StdioEnvironment {
    let variables: [String: String]

    init(_ invocation: Invocation) {
        var variables = [
            "APUS_INVOCATION": invocation.id.description, "APUS_TRIGGER": invocation.trigger.rawValue,
            "APUS_ATTEMPT": String(invocation.attempt),
        ]
        switch invocation.cause {
        case .request(let head):
            variables["REQUEST_METHOD"] = head.method
            variables["REQUEST_PATH"] = head.path
            variables["QUERY_STRING"] = head.query
            variables["CONTENT_TYPE"] = head.headers.first("content-type") ?? ""
            variables["REMOTE_ADDR"] = Self.host(of: head.remoteAddress)
            for parameter in head.parameters {
                variables["APUS_PARAM_" + Self.name(parameter.name)] = parameter.value
            }
        case .event(_, let event):
            for attribute in event.attributes { variables["CE_" + Self.name(attribute.name)] = attribute.value }
        }
        // No value of an environment can hold a NUL; what a client sends might.
        self.variables = variables.mapValues { $0.utf8.contains(0) ? String($0.prefix { $0 != "\0" }) : $0 }
    }

    /// Uppercase letters, digits and `_`.
    private static func name(_ name: String) -> String {
        let utf8 = name.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): byte & ~0x20
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }
        return String(decoding: utf8, as: UTF8.self)
    }

    /// The address without its port: of `127.0.0.1:80` and of `[::1]:80`.
    static func host(of address: String) -> String {
        guard let colon = address.lastIndex(of: ":") else { return address }
        let host = address[..<colon]
        return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
    }
}
