package import Events
package import NIOCore

/// Finds where the head of a streamed response ends. Bytes in, the head and the body's first bytes out.
///
/// With the content type `application/vnd.awslambda.http-integration-response` the response begins with a JSON object and
/// eight NUL bytes. Without it, it is all body, and its content type is the body's.
package struct ResponsePrelude: Sendable {
    package static let contentType = "application/vnd.awslambda.http-integration-response"
    /// Bytes, the delimiter among them.
    static let longest = 1 << 20
    private static let delimiter = [UInt8](repeating: 0, count: 8)

    private let plainType: String?
    private var bytes = ByteBuffer()
    private var searched = 0
    /// The head is known.
    package private(set) var isOver = false

    package init(contentType: String?) {
        let type = contentType?.lowercased() ?? ""
        plainType = type.hasPrefix(Self.contentType) ? nil : contentType ?? "application/octet-stream"
    }

    /// Takes what has come. Returns the head, once, and what of the body is there; `nil` while the head is not complete.
    package mutating func take(_ more: ByteBuffer) throws(CallFailure) -> (ResponseHead, ByteBuffer)? {
        var more = more
        if let plainType {
            isOver = true
            return (Self.plain(plainType), more)
        }
        bytes.writeBuffer(&more)
        guard let end = delimiterStart() else {
            guard bytes.readableBytes <= Self.longest else {
                throw LambdaResponse.malformed("no 8 NUL bytes end its prelude within \(Self.longest >> 20) MiB")
            }
            return nil
        }
        isOver = true
        // Both are within what is there.
        let json = bytes.readSlice(length: end) ?? ByteBuffer()
        bytes.moveReaderIndex(forwardBy: Self.delimiter.count)
        return (try LambdaResponse.prelude(json), bytes)
    }

    /// The head of a response that has ended before it was known.
    package func finish() throws(CallFailure) -> ResponseHead {
        guard let plainType else { throw LambdaResponse.malformed("it ended before the 8 NUL bytes after its prelude") }
        return Self.plain(plainType)
    }

    private static func plain(_ type: String) -> ResponseHead {
        ResponseHead(status: 200, headers: [HeaderField("content-type", type)])
    }

    private mutating func delimiterStart() -> Int? {
        let view = bytes.readableBytesView
        let start = view.startIndex + max(0, searched - Self.delimiter.count + 1)
        searched = view.count
        guard let found = view[start...].firstRange(of: Self.delimiter) else { return nil }
        return found.lowerBound - view.startIndex
    }
}
