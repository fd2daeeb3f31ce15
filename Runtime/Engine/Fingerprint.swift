package import Events
package import NIOCore

/// What tells a repeat of a request from another request with the same idempotency key: a hash of its method, path,
/// query, content type and body. It stays in the store, so that it is the same in every version of the host.
package enum Fingerprint {
    package static func of(_ request: RequestHead, _ body: ByteBuffer) -> [UInt8] {
        var hash = SHA256()
        let parts = [request.method, request.path, request.query, request.headers.first("Content-Type") ?? ""]
        for part in parts {
            // Each with its length before it, so that nothing moves from one part to the next.
            hash.update("\(part.utf8.count):")
            hash.update(part)
        }
        body.withUnsafeReadableBytes { hash.update($0) }
        return hash.finish()
    }
}
