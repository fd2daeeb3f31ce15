package import Events

/// What a handler learns of the client that the host stands before: `Forwarded` (RFC 7239) and the `X-Forwarded-…`
/// fields that are older and still more common.
///
/// What a client on this machine says itself is kept and added to, since it is the reverse proxy in front, if any; a
/// client from elsewhere could claim anything.
package struct ForwardedFields {
    /// Those that the host sets.
    private static let names: Set<String> = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]

    package let fields: [HeaderField]
    /// What the client speaks, with the proxy if there is one: `http` or `https`.
    package let scheme: String
    private let isProxy: Bool

    /// - Parameters:
    ///   - remote: `127.0.0.1:80` or `[::1]:80`; empty when there is no client.
    ///   - host: the request's own `Host`.
    ///   - given: the fields of the request.
    package init(remote: String, host: String?, given: [HeaderField]) {
        let client = Self.address(of: remote)
        let isProxy = client.hasPrefix("127.") || client == "::1"
        func said(_ name: String) -> [String] {
            isProxy ? given.filter { $0.name.lowercased() == name }.map(\.value) : []
        }
        var element = "for=" + (client.isEmpty ? "unknown" : client.contains(":") ? "\"[\(client)]\"" : client)
        if let host, !host.utf8.contains(UInt8(ascii: "\"")), !host.utf8.contains(UInt8(ascii: "\\")) {
            element += ";host=\"\(host)\""
        }
        element += ";proto=http"
        var fields = [HeaderField("Forwarded", (said("forwarded") + [element]).joined(separator: ", "))]
        let addresses = said("x-forwarded-for") + (client.isEmpty ? [] : [client])
        if !addresses.isEmpty {
            fields.append(HeaderField("X-Forwarded-For", addresses.joined(separator: ", ")))
        }
        if let host = said("x-forwarded-host").first ?? host { fields.append(HeaderField("X-Forwarded-Host", host)) }
        let scheme = said("x-forwarded-proto").first ?? "http"
        fields.append(HeaderField("X-Forwarded-Proto", scheme))
        self.fields = fields
        self.isProxy = isProxy
        self.scheme = scheme.lowercased() == "https" ? "https" : "http"
    }

    /// Whether the client may say what a field of the request says. What tells of somebody behind it, only a proxy may;
    /// and nobody by a name with `_`, which CGI and WSGI take for the one with `-`, and few proxies know.
    ///
    /// - Parameter name: in lowercase.
    func allows(_ name: String) -> Bool {
        // Nearly all begin otherwise.
        guard name.utf8.first == UInt8(ascii: "x") || name == "forwarded" else { return true }
        let dashed = name.utf8.contains(UInt8(ascii: "_")) ? String(name.map { $0 == "_" ? "-" : $0 }) : name
        guard name == "forwarded" || dashed.hasPrefix("x-forwarded-") || dashed == "x-real-ip" else { return true }
        return isProxy && dashed == name
    }

    /// Whether such a field goes on as it came, since the host sets none of that name.
    func passes(_ name: String) -> Bool { allows(name) && !Self.names.contains(name) }

    /// Without its port.
    private static func address(of remote: String) -> String {
        guard let colon = remote.lastIndex(of: ":") else { return remote }
        let host = remote[..<colon]
        return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
    }
}
