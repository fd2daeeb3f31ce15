import Events

/// What the gateway itself answers; everything else comes from the engine.
extension Problem {
    static func malformed(_ detail: String) -> Problem {
        Problem(status: 400, code: "malformed-request", title: "The request is not valid HTTP/1.1", detail: detail)
    }

    static let malformedRequestLine = malformed("It has no valid request line (RFC 9112 §3).")
    static let malformedField = malformed("A header field is not valid (RFC 9112 §5).")
    static let malformedChunk = malformed("A chunk is not valid (RFC 9112 §7.1).")
    /// For the log: it ends the connection, without an answer.
    static let incompleteBody = malformed("The client closed before the body was complete (RFC 9112 §8).")

    static let invalidPath = Problem(
        status: 400, code: "invalid-path", title: "The path is not valid",
        detail: "It may hold no '.' or '..' segments, no NUL, and only percent-encoded UTF-8.")

    static let notFound = Problem(status: 404, code: "no-route", title: "Nothing is served at this path")

    static func methodNotAllowed(_ allowed: [String]) -> Problem {
        let list = allowed.joined(separator: ", ")
        return Problem(
            status: 405, code: "method-not-allowed", title: "The method is not served at this path",
            detail: "Served: \(list).", headers: [HeaderField("Allow", list)])
    }

    static let headTimedOut = Problem(
        status: 408, code: "request-timeout", title: "The request did not arrive in time")

    static let bodyTimedOut = Problem(
        status: 408, code: "request-timeout", title: "The request did not arrive in time",
        detail: "Its body has stalled.")

    static func bodyTooLarge(limit: Int64) -> Problem {
        Problem(
            status: 413, code: "body-too-large", title: "The body is larger than the function takes",
            detail: """
                The limit is \(limit) bytes: 'limits.body' in its manifest, and at most 16 MiB with an Idempotency-Key or \
                'Prefer: respond-async'.
                """)
    }

    static func targetTooLong(limit: Int) -> Problem {
        Problem(
            status: 414, code: "target-too-long", title: "The request target is too long",
            detail: "The limit is \(limit) bytes.")
    }

    static let expectationFailed = Problem(
        status: 417, code: "expectation-failed", title: "The expectation cannot be met",
        detail: "Only 'Expect: 100-continue' is known.")

    static func headersTooLarge(_ configuration: GatewayConfiguration) -> Problem {
        Problem(
            status: 431, code: "headers-too-large", title: "The header fields are too large",
            detail: "The limits are \(configuration.headerFields) fields and \(configuration.headerBytes) bytes in all."
        )
    }

    static func notImplemented(_ detail: String) -> Problem {
        Problem(
            status: 501, code: "not-implemented", title: "The request asks for what is not implemented", detail: detail)
    }

    static func invalidResponse(_ detail: String) -> Problem {
        Problem(
            status: 502, code: "invalid-response", title: "The function gave a response that cannot be sent",
            detail: detail)
    }

    static let tooManyConnections = Problem(
        status: 503, code: "too-many-connections", title: "The host has too many connections", retryAfter: 1)

    static let stopping = Problem(
        status: 503, code: "stopping", title: "The host is stopping",
        detail: "The call ran longer than a stopping host waits.", retryAfter: 1)

    static let unsupportedVersion = Problem(
        status: 505, code: "version-not-supported", title: "The HTTP version is not supported",
        detail: "Use HTTP/1.1 or HTTP/1.0.")
}
