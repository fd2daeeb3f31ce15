import Wire

/// The answer to an HTTP request.
public struct HTTPResponse: Sendable {
    /// What follows the header.
    public enum Body: Sendable {
        /// All of it.
        case bytes([UInt8])
        /// Written by a closure that runs after `respond` has returned and its effects are committed.
        case stream(@Sendable (ResponseWriter) async throws -> Void)
    }

    /// 200...599.
    public var status: Int
    /// The header fields. The host adds `Content-Length` or `Transfer-Encoding`, and `Date`.
    public var headers: HTTPHeaders
    /// What follows the header.
    public var body: Body

    private static let plainText = HTTPHeaders(fields: [WireField("Content-Type", "text/plain; charset=utf-8")])

    /// Creates a response; without a body where none is given.
    public init(status: Int = 200, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Plain text in UTF-8.
    public static func text(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: plainText, body: .bytes([UInt8](text.utf8)))
    }

    /// An HTML page in UTF-8.
    public static func html(_ html: String, status: Int = 200) -> HTTPResponse {
        bytes([UInt8](html.utf8), type: "text/html; charset=utf-8", status: status)
    }

    /// Bytes of a media type.
    public static func bytes(
        _ bytes: [UInt8], type: String = "application/octet-stream", status: Int = 200
    ) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": type], body: .bytes(bytes))
    }

    /// Nothing but a status, 204 unless told otherwise.
    public static func empty(status: Int = 204) -> HTTPResponse { HTTPResponse(status: status) }

    /// Sends the client to another place; with 303, it asks there with `GET`.
    public static func redirect(to location: String, status: Int = 303) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Location": location])
    }

    /// A body that is written while the client reads it.
    ///
    /// `write` runs after `respond` has returned and the call's effects are committed, so it may write to the state
    /// only through `State.immediately`. An error that it throws cuts the response off, so that the client notices.
    public static func stream(
        type: String = "text/plain; charset=utf-8", status: Int = 200,
        _ write: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": type], body: .stream(write))
    }
}

/// Takes the chunks of a streamed response.
public struct ResponseWriter: Sendable {
    package let link: any CallLink

    package init(_ link: any CallLink) { self.link = link }

    /// Sends a chunk; waits while the client reads slower than this writes. Throws `CancellationError` when the client
    /// has gone away.
    public func write(_ bytes: [UInt8]) async throws { try await link.write(bytes) }

    /// Sends text in UTF-8, as `write(_:)` of bytes does.
    public func write(_ text: String) async throws { try await link.write([UInt8](text.utf8)) }
}
