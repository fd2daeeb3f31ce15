/// An error as clients of the gateway and of the admin API see it: RFC 9457 problem details.
package struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status code.
    package var status: Int
    /// A word for programs, such as `worker-died`; the `type` is `urn:apus:problem:` and this word.
    package var code: String
    /// A short sentence that is the same for every problem with this code.
    package var title: String
    /// What happened this time, and what to do about it.
    package var detail: String?
    package var invocation: InvocationID?
    /// Seconds after which another try makes sense; becomes the `Retry-After` header.
    package var retryAfter: Int?
    /// Header fields that the status requires, such as `Allow` with 405.
    package var headers: [HeaderField]
    /// What the function said of its own failure, in JSON: for who invoked it by its name, and no part of the document.
    package var functionError: [UInt8]?

    package init(
        status: Int, code: String, title: String, detail: String? = nil, invocation: InvocationID? = nil,
        retryAfter: Int? = nil, headers: [HeaderField] = []
    ) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.invocation = invocation
        self.retryAfter = retryAfter
        self.headers = headers
    }

    /// What the log says of it.
    package var description: String { title + (detail.map { ": " + $0 } ?? "") }

    /// The `application/problem+json` body.
    package var json: [UInt8] {
        JSONWriter.line { json in
            json.field("type", "urn:apus:problem:" + code)
            json.field("title", title)
            json.field("status", status)
            if let detail { json.field("detail", detail) }
            if let invocation { json.field("invocation", invocation) }
        }
    }
}
