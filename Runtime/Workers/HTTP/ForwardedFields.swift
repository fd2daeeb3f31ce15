package import Events

/// What a server learns of the client that the host stands before: `Forwarded` (RFC 7239) and the `X-Forwarded-…`
/// fields that are older and still more common.
///
/// What a client on this machine says itself is kept and added to, since it is the reverse proxy in front, if any; a
/// client from elsewhere could claim anything.
package struct ForwardedFields {
    static let names: Set<String> = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]

    package let fields: [HeaderField]

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
        fields.append(HeaderField("X-Forwarded-Proto", said("x-forwarded-proto").first ?? "http"))
        self.fields = fields
    }

    /// Without its port.
    private static func address(of remote: String) -> String {
        guard let colon = remote.lastIndex(of: ":") else { return remote }
        let host = remote[..<colon]
        return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
    }
}
