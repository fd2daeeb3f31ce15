package import Events
package import NIOCore

/// A piece of a request, as it comes from the socket.
package enum RequestPart: Sendable {
    case head(ReceivedHead)
    /// Never empty.
    case body(ByteBuffer)
    case end(trailers: [HeaderField])
}

/// A request's line and fields; its framing has been found to be in order.
package final class ReceivedHead: Sendable {
    package let method: String
    /// The request target as it came.
    package let target: String
    /// HTTP/1.0.
    package let isOld: Bool
    package let fields: RequestFields

    package init(method: String, target: String, isOld: Bool = false, fields: RequestFields) {
        self.method = method
        self.target = target
        self.isOld = isOld
        self.fields = fields
    }
}

/// Takes HTTP/1.1 and 1.0 requests apart (RFC 9112), and nothing that could be read in more than one way: lines end in
/// CRLF, fields are not folded, names are followed by their colon, a body has one length.
///
/// Pure: bytes in, parts out. Looks at each byte of a head once, however it is cut into reads, and holds no bytes.
package struct RequestDecoder: Sendable {
    private enum Place: Sendable {
        case requestLine
        case fields(of: RequestLine)
        case body(left: Int64)
        case chunkSize
        case chunk(left: Int64)
        case chunkEnd
        case trailers
        /// What follows cannot be understood, or comes from a client that has said it will send no more.
        case over
    }

    private let limits: GatewayConfiguration
    private var place = Place.requestLine
    private var fields = RequestFields()
    private var trailers: [HeaderField] = []
    /// After this request, the connection will not be used (RFC 9112 §9.6).
    private var isLast = false
    /// Of the fields of this request so far, trailers among them.
    private var count = 0
    private var size = 0
    /// Bytes of the unfinished line that hold no line feed.
    private var searched = 0

    package init(_ configuration: GatewayConfiguration) { limits = configuration }

    /// The next part; `nil` when `input`, of which it takes what it needs, holds no whole one.
    ///
    /// - Throws: what to tell the client. Nothing more can be decoded then.
    package mutating func next(_ input: inout ByteBuffer) throws(Problem) -> RequestPart? {
        do throws(Problem) {
            while true {
                switch place {
                case .body(let left): return takeBody(&input, left)
                case .chunk(let left): return takeChunk(&input, left)
                case .over: return nil
                case .requestLine, .fields, .chunkSize, .chunkEnd, .trailers:
                    guard let length = try lineLength(input) else { return nil }
                    // The length comes from these very bytes, and counts the two of the line's end.
                    let part = try input.readWithUnsafeBytes(length) { line throws(Problem) in try take(line) }
                    if let part { return part }
                }
            }
        } catch {
            place = .over
            throw error
        }
    }

    // MARK: Bodies

    private mutating func takeBody(_ input: inout ByteBuffer, _ left: Int64) -> RequestPart? {
        guard left > 0 else { return end() }
        guard let bytes = input.readSome(left) else { return nil }
        place = .body(left: left - Int64(bytes.readableBytes))
        return .body(bytes)
    }

    private mutating func takeChunk(_ input: inout ByteBuffer, _ left: Int64) -> RequestPart? {
        guard let bytes = input.readSome(left) else { return nil }
        let left = left - Int64(bytes.readableBytes)
        place = left > 0 ? .chunk(left: left) : .chunkEnd
        return .body(bytes)
    }

    private mutating func end() -> RequestPart {
        place = isLast ? .over : .requestLine
        (count, size) = (0, 0)
        defer { trailers = [] }
        return .end(trailers: trailers)
    }

    // MARK: Lines

    /// With its end; `nil` while that is not there.
    private mutating func lineLength(_ input: ByteBuffer) throws(Problem) -> Int? {
        let end = input.withUnsafeReadableBytes { $0.firstIndex(of: UInt8(ascii: "\n"), from: searched) }
        let length = end.map { $0 + 1 } ?? input.readableBytes
        try check(length)
        searched = end == nil ? length : 0
        return end.map { $0 + 1 }
    }

    /// A line that is too long is refused before it is all there.
    private func check(_ length: Int) throws(Problem) {
        switch place {
        // Besides its target it has a method, a version and three characters between them and at its end.
        case .requestLine where length > limits.requestLine + 64: throw .targetTooLong(limit: limits.requestLine)
        case .fields where size + length > limits.headerBytes + 64: throw .headersTooLarge(limits)
        case .trailers where size + length > limits.headerBytes + 64: throw .headersTooLarge(limits)
        case .chunkSize where length > 4096: throw .malformedChunk
        default: return
        }
    }

    private mutating func take(_ line: UnsafeRawBufferPointer) throws(Problem) -> RequestPart? {
        guard line.count >= 2, line[line.count - 2] == UInt8(ascii: "\r") else {
            throw .malformed("A line does not end in CRLF (RFC 9112 §2.2).")
        }
        let line = line.part(..<(line.count - 2))
        switch place {
        case .requestLine:
            // Empty lines before a request are left over from the body before it (RFC 9112 §2.2).
            if !line.isEmpty { try takeRequestLine(line) }
        case .fields(let requestLine):
            if line.isEmpty { return try head(requestLine) }
            let field = try takeField(line)
            fields.add(field.name, field.value)
        case .chunkSize:
            let size = try ChunkSize(line).value
            place = size > 0 ? .chunk(left: size) : .trailers
        case .chunkEnd:
            guard line.isEmpty else { throw .malformedChunk }
            place = .chunkSize
        case .trailers:
            if line.isEmpty { return end() }
            let field = try takeField(line)
            guard !RequestFields.isSpecial(field.name) else { throw .malformedField }
            trailers.append(field)
        case .body, .chunk, .over: break
        }
        return nil
    }

    private mutating func takeRequestLine(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        let line = try RequestLine(bytes)
        guard line.target.utf8.count <= limits.requestLine else { throw .targetTooLong(limit: limits.requestLine) }
        place = .fields(of: line)
    }

    private mutating func takeField(_ line: UnsafeRawBufferPointer) throws(Problem) -> HeaderField {
        let field = try HeaderField(line: line)
        count += 1
        size += field.name.utf8.count + field.value.utf8.count
        guard count <= limits.headerFields, size <= limits.headerBytes else { throw .headersTooLarge(limits) }
        return field
    }

    private mutating func head(_ line: RequestLine) throws(Problem) -> RequestPart {
        fields.finish()
        if let problem = fields.framingProblem(isOld: line.isOld) { throw problem }
        isLast = !fields.keepsAlive(isOld: line.isOld)
        place = fields.isChunked ? .chunkSize : .body(left: fields.contentLength ?? 0)
        var taken = RequestFields()
        swap(&taken, &fields)
        return .head(ReceivedHead(method: line.method, target: line.target, isOld: line.isOld, fields: taken))
    }
}

extension ByteBuffer {
    /// At most `limit` bytes; `nil` when there are none.
    fileprivate mutating func readSome(_ limit: Int64) -> ByteBuffer? {
        readableBytes == 0 ? nil : readSlice(length: Int(min(limit, Int64(readableBytes))))
    }

    /// Gives the next `length` bytes, which are there, to `body`, and goes past them.
    fileprivate mutating func readWithUnsafeBytes<Result>(
        _ length: Int, _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        let outcome = withUnsafeReadableBytes { bytes in
            Swift.Result { () throws(Problem) in try body(bytes.part(..<length)) }
        }
        moveReaderIndex(forwardBy: length)
        return try outcome.get()
    }
}
