package import Events

/// Refuses requests that a web page in the operator's browser may have sent.
///
/// The API listens on loopback and trusts whoever reaches it. A page reaches it too: by its own requests, which carry its
/// `Origin`, and by a name of the attacker's that resolves to 127.0.0.1 (DNS rebinding), which shows in `Host`.
/// An address literal cannot be rebound, so literals and `localhost` are good.
package struct HostGuard: Sendable {
    /// The name that the server was told to listen on is good as well.
    private let listenHost: String

    package init(listenHost: String) { self.listenHost = listenHost }

    /// Why the request is refused; `nil` when it is not.
    package func refusal(authority: String?, origin: String?, fetchSite: String?) -> Problem? {
        guard let authority, let name = Self.host(of: authority) else {
            return refuse("the request has no valid Host header")
        }
        guard name == "localhost" || Self.isAddress(name) || name == listenHost.lowercased() else {
            return refuse("the Host '\(name)' is not this host; use 127.0.0.1 or localhost")
        }
        if let origin, origin.lowercased() != "http://" + authority.lowercased() {
            return refuse("the Origin '\(origin)' is another site")
        }
        if let fetchSite, fetchSite != "same-origin", fetchSite != "none" {
            return refuse("the request comes from another site")
        }
        return nil
    }

    private func refuse(_ detail: String) -> Problem {
        Problem(status: 403, code: "foreign-request", title: "The request is refused", detail: detail)
    }

    /// The host of `host`, `host:port` or `[v6]:port`, in lowercase.
    static func host(of authority: String) -> String? {
        let text = authority.lowercased()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let name = parts.first, !name.isEmpty else { return nil }
        return String(name)
    }

    /// Whether it is an IPv4 address in dotted form or, since only its brackets let a colon through, an IPv6 one.
    private static func isAddress(_ name: String) -> Bool {
        if name.contains(":") { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
