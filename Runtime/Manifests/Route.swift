package import Events

/// One HTTP trigger, as the gateway needs it. A class, since each request takes it out of the table.
package final class Route: Sendable {
    package let function: String
    /// Which trigger of the function, such as `orders/http/0`.
    package let trigger: String
    /// Uppercase; empty means every method but `OPTIONS`, which the gateway answers itself unless it is listed.
    package let methods: [String]
    /// Bytes of a request body.
    package let bodyLimit: Int64
    /// Whether the function is an HTTP server itself, which may change the protocol (RFC 9110 §7.8) and has use for what
    /// else a client says of its connection.
    package let isServer: Bool
    /// What an `Idempotency-Key` does.
    package let idempotency: HTTPTrigger.Idempotency
    /// How long a stored response answers repeats.
    package let keep: Duration
    package let segments: [RoutePattern.Segment]
    private let parameterCount: Int

    /// - Parameter index: among the function's triggers.
    package init(
        function: String, index: Int = 0, methods: [String], bodyLimit: Int64, isServer: Bool = false,
        idempotency: HTTPTrigger.Idempotency = .off, keep: Duration = .zero, pattern: RoutePattern
    ) {
        // In memory of its own: each lane has routes of its own, and a long name is counted with each request.
        self.function = String(decoding: Array(function.utf8), as: UTF8.self)
        trigger = "\(function)/http/\(index)"
        self.methods = methods
        self.bodyLimit = bodyLimit
        self.isServer = isServer
        self.idempotency = idempotency
        self.keep = keep
        segments = pattern.segments
        parameterCount = segments.count { $0.parameterName != nil }
    }

    /// `HEAD` is served wherever `GET` is.
    package func serves(_ method: String) -> Bool {
        if methods.isEmpty { return method != "OPTIONS" }
        return methods.contains(method) || method == "HEAD" && methods.contains("GET")
    }

    /// What `Allow` says.
    package var allowed: Set<String> {
        if methods.isEmpty { return Set(Route.common) }
        return Set(methods).union(["OPTIONS"]).union(methods.contains("GET") ? ["HEAD"] : [])
    }

    package static let common = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

    /// The values of the parameters of a path that this route matches. Those that matched nothing are left out.
    package func parameters(of path: RequestPath) -> [HeaderField] {
        guard parameterCount > 0 else { return [] }
        return path.withSegments { values in
            var fields: [HeaderField] = []
            fields.reserveCapacity(parameterCount)
            for segment in segments {
                if case .rest(let name) = segment {
                    if let rest = values.rest { fields.append(HeaderField(name, rest)) }
                    break
                }
                guard let value = values.next() else { break }
                guard let name = segment.parameterName, !value.isEmpty else { continue }
                fields.append(HeaderField(name, String(decoding: value, as: UTF8.self)))
            }
            return fields
        }
    }
}
