/// What the client calls the host (RFC 3875 §4.1.14, §4.1.15), since that is what makes links that work.
struct NamedServer {
    var name = "localhost"
    /// Where none is named, that of the scheme (RFC 9110 §4.2).
    var port: String

    /// - Parameters:
    ///   - host: the value of `Host`, such as `example.org`, `example.org:8080` or `[::1]:8080`.
    ///   - scheme: `http` or `https`.
    init(host: String, scheme: String) {
        port = scheme == "https" ? "443" : "80"
        let end = host.lastIndex(of: "]") ?? host.startIndex
        let colon = host[end...].lastIndex(of: ":")
        // Not every request has come through the gateway, which takes digits alone.
        if let named = colon.map({ host[host.index(after: $0)...] }), UInt16(named) != nil, named.first != "+" {
            port = String(named)
        }
        let text = host[..<(colon ?? host.endIndex)]
        if !text.isEmpty { name = String(text) }
    }
}
