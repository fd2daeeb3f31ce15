/// The body of a request, chunk by chunk as it arrives.
///
/// It can be read once. The host sends more only as chunks are taken, so a large upload never fills the memory of a
/// handler that reads it chunk by chunk. Reading throws `RequestAborted` when the client went away in the middle, and
/// `CancellationError` when the call is cancelled.
public struct RequestBody: AsyncSequence, Sendable {
    /// What `collect` and `text` take unless told otherwise: 6 MiB, the default of the manifest's `limits.body`.
    public static let defaultLimit = 6 << 20

    package let link: any CallLink

    package init(_ link: any CallLink) { self.link = link }

    /// Reads the chunks of a body.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let link: any CallLink

        /// The next chunk, never empty; `nil` at the end.
        public mutating func next() async throws -> [UInt8]? { try await link.nextChunk() }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(link: link) }

    /// The whole body. Throws an `HTTPError` 413 when it is longer than `limit` bytes.
    public func collect(upTo limit: Int = defaultLimit) async throws -> [UInt8] {
        guard var all = try await link.nextChunk() else { return [] }
        while all.count <= limit, let chunk = try await link.nextChunk() { all.append(contentsOf: chunk) }
        guard all.count <= limit else { throw HTTPError(413, "The body is longer than \(limit) bytes.\n") }
        return all
    }

    /// The whole body as text. Throws an `HTTPError`: 413 when it is longer than `limit` bytes, 400 when it is not
    /// UTF-8.
    public func text(upTo limit: Int = defaultLimit) async throws -> String {
        guard let text = String(validating: try await collect(upTo: limit), as: UTF8.self) else {
            throw HTTPError(400, "The body is not UTF-8 text.\n")
        }
        return text
    }
}

/// The client went away before it had sent the whole body.
public struct RequestAborted: Error, Sendable, CustomStringConvertible {
    /// What the host says about it.
    public let description: String

    package init(_ description: String) { self.description = description }
}
