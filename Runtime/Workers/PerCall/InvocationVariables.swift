import Events

/// What a program of one invocation learns about it from its environment, whatever its contract.
struct InvocationVariables {
    private(set) var values: [String: String]

    init(_ invocation: Invocation) {
        values = [
            "APUS_INVOCATION": invocation.id.description, "APUS_TRIGGER": invocation.trigger.rawValue,
            "APUS_ATTEMPT": String(invocation.attempt),
        ]
        switch invocation.cause {
        case .request(let head):
            for parameter in head.parameters { self["APUS_PARAM_" + Self.name(parameter.name)] = parameter.value }
        case .event(_, let event):
            for attribute in event.attributes { self["CE_" + Self.name(attribute.name)] = attribute.value }
        }
    }

    /// No value of an environment can hold a NUL; what a client sends might.
    subscript(name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue.map { $0.utf8.contains(0) ? String($0.prefix { $0 != "\0" }) : $0 } }
    }

    /// Uppercase letters, digits and `_`.
    static func name(_ name: String) -> String {
        let utf8 = name.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): byte & ~0x20
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }
        return String(decoding: utf8, as: UTF8.self)
    }
}

extension RequestHead {
    /// The two parts of the client's address, of `127.0.0.1:80` and of `[::1]:80`, without brackets.
    var remote: (host: String, port: String) {
        guard let colon = remoteAddress.lastIndex(of: ":") else { return (remoteAddress, "") }
        var host = remoteAddress[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), String(remoteAddress[remoteAddress.index(after: colon)...]))
    }
}
