package import Events

/// The request meta-variables (RFC 3875 §4.1), and what programs expect beside them.
package struct CGIVariables {
    package private(set) var values: [String: String]

    /// - Parameter length: bytes of the body that the program finds on its standard input; `nil` for none.
    package init(_ invocation: Invocation, of script: CGIScript, length: Int?) {
        var variables = InvocationVariables(invocation)
        variables["GATEWAY_INTERFACE"] = "CGI/1.1"
        variables["SERVER_SOFTWARE"] = "apus"
        variables["SERVER_PROTOCOL"] = "HTTP/1.1"
        variables["DOCUMENT_ROOT"] = script.root
        variables["SCRIPT_FILENAME"] = script.file
        // Without it php-cgi refuses to run.
        variables["REDIRECT_STATUS"] = "200"
        variables["CONTENT_LENGTH"] = length.map(String.init)
        switch invocation.cause {
        case .request(let head): Self.add(head, of: script, to: &variables)
        case .event: Self.addEvent(to: &variables)
        }
        values = variables.values.filter { script.declared[$0.key] == nil }
    }

    private static func add(_ head: RequestHead, of script: CGIScript, to variables: inout InvocationVariables) {
        let (name, info) = script.split(head)
        variables["REQUEST_METHOD"] = head.method
        variables["REQUEST_URI"] = head.query.isEmpty ? head.path : head.path + "?" + head.query
        variables["SCRIPT_NAME"] = name
        variables["PATH_INFO"] = info
        variables["PATH_TRANSLATED"] = info.isEmpty ? nil : script.root + info
        variables["QUERY_STRING"] = head.query
        variables["CONTENT_TYPE"] = head.headers.first("content-type")
        let remote = head.remote
        variables["REMOTE_ADDR"] = remote.host
        variables["REMOTE_HOST"] = remote.host
        variables["REMOTE_PORT"] = remote.port
        let host = head.headers.first("host")
        let forwarded = ForwardedFields(remote: head.remoteAddress, host: host, given: head.headers)
        add(NamedServer(host: host ?? "", scheme: forwarded.scheme), scheme: forwarded.scheme, to: &variables)
        let allowed = head.headers.filter { forwarded.allows($0.name.lowercased()) }
        for (name, value) in headerVariables(allowed) { variables[name] = value }
    }

    private static func addEvent(to variables: inout InvocationVariables) {
        variables["REQUEST_METHOD"] = "POST"
        variables["REQUEST_URI"] = "/"
        variables["SCRIPT_NAME"] = ""
        variables["PATH_INFO"] = ""
        variables["QUERY_STRING"] = ""
        variables["CONTENT_TYPE"] = "application/cloudevents+json"
        variables["REMOTE_ADDR"] = "127.0.0.1"
        variables["REMOTE_HOST"] = "127.0.0.1"
        add(NamedServer(host: "", scheme: "http"), scheme: "http", to: &variables)
    }

    private static func add(_ server: NamedServer, scheme: String, to variables: inout InvocationVariables) {
        variables["SERVER_NAME"] = server.name
        variables["SERVER_PORT"] = server.port
        variables["REQUEST_SCHEME"] = scheme
        variables["HTTPS"] = scheme == "https" ? "on" : nil
    }

    // MARK: Header fields

    /// One variable a name (§4.1.18): fields that occur more than once are joined as HTTP joins them.
    private static func headerVariables(_ fields: [HeaderField]) -> [String: String] {
        var variables: [String: String] = [:]
        for field in fields {
            guard let name = variable(for: field.name) else { continue }
            let separator = name == "HTTP_COOKIE" ? "; " : ", "
            variables[name] = variables[name].map { $0 + separator + field.value } ?? field.value
        }
        return variables
    }

    /// Left out are fields that have a variable of their own; `Proxy`, which would tell the program's HTTP library where
    /// to send its requests ('httpoxy', CVE-2016-5385); `Proxy-Authorization`, which is for a proxy before the host; and
    /// names with other characters than letters, digits and `-`: `X_User` must not pass for `X-User`.
    ///
    /// `Authorization` is not left out: the host authenticates nobody, so that it is the program's to do.
    private static func variable(for field: String) -> String? {
        guard field.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") }) else { return nil }
        let name = InvocationVariables.name(field)
        return omitted.contains(name) ? nil : "HTTP_" + name
    }

    private static let omitted: Set<String> = ["CONTENT_TYPE", "CONTENT_LENGTH", "PROXY", "PROXY_AUTHORIZATION"]
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x61...0x7A).contains(self | 0x20)
    }
}
