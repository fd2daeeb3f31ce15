package import Events
import Glibc
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
    /// The target is known to be a path, with nothing encoded in it, no dots and no query, and not one of the host's own.
    let isPlain: Bool
    /// HTTP/1.0.
    package let isOld: Bool
    package let fields: RequestFields

    package init(method: String, target: String, isOld: Bool = false, fields: RequestFields) {
        self.method = method
        self.target = target
        isPlain = false
        self.isOld = isOld
        self.fields = fields
    }

    fileprivate init(_ line: RequestLine, _ fields: consuming RequestFields) {
        method = line.method
        target = line.target
        isPlain = line.isPlain
        isOld = line.isOld
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
        case fields
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
    /// Of the request whose fields are being read.
    private var line: RequestLine?
    private var fields = RequestFields()
    /// Those of the last head.
    private var known: KnownFields?
    private var trailers: [HeaderField] = []
    /// After this request, the connection will not be used (RFC 9112 §9.6).
    private var isLast = false
    /// Of the fields of this request so far, trailers among them.
    private var count = 0
    private var size = 0
    /// Bytes of the unfinished line that hold no line feed.
    private var searched = 0
    /// Bytes came where nothing can be decoded any more.
    package private(set) var hasSurplus = false

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
                case .over:
                    dropSurplus(&input)
                    return nil
                case .requestLine, .fields, .chunkSize, .chunkEnd, .trailers:
                    if let part = try takeLines(&input) { return part }
                    if isAtLine { return nil }
                }
            }
        } catch {
            place = .over
            throw error
        }
    }

    /// A client may go on for as long as its last request runs.
    private mutating func dropSurplus(_ input: inout ByteBuffer) {
        guard input.readableBytes > 0 else { return }
        hasSurplus = true
        input.moveReaderIndex(to: input.writerIndex)
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

    private var isAtLine: Bool {
        switch place {
        case .requestLine, .fields, .chunkSize, .chunkEnd, .trailers: true
        case .body, .chunk, .over: false
        }
    }

    private mutating func takeLines(_ input: inout ByteBuffer) throws(Problem) -> RequestPart? {
        var taken = 0
        var problem: Problem?
        let part = input.withUnsafeReadableBytes { bytes -> RequestPart? in
            do throws(Problem) {
                return try takeLines(bytes, &taken)
            } catch {
                problem = error
                return nil
            }
        }
        if let problem { throw problem }
        input.moveReaderIndex(forwardBy: taken)
        return part
    }

    /// Takes the lines that are there, up to the next part, or to what is no line.
    private mutating func takeLines(
        _ bytes: UnsafeRawBufferPointer, _ taken: inout Int
    ) throws(Problem) -> RequestPart? {
        /// Of the first field.
        var start: Int?
        while isAtLine {
            if count == 0, case .fields = place {
                if let known, known.areNext(in: bytes, at: taken) {
                    taken += known.bytes.count
                    return try head(known)
                }
                start = taken
            }
            guard let length = try lineLength(bytes.part(taken...)) else { return nil }
            let line = bytes.part(taken..<taken + length)
            taken += length
            guard let part = try take(line) else { continue }
            if let start, case .head(let head) = part {
                known = KnownFields(bytes.part(start..<taken), fields: head.fields, count: count, size: size)
            }
            return part
        }
        return nil
    }

    /// With its end; `nil` while that is not there.
    private mutating func lineLength(_ bytes: UnsafeRawBufferPointer) throws(Problem) -> Int? {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: searched)
        let length = end.map { $0 + 1 } ?? bytes.count
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
        case .chunkEnd where length > 2: throw .malformedChunk
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
        case .fields:
            if line.isEmpty { return try head() }
            fields.add(try takeField(line))
        case .chunkSize:
            let size = try ChunkSize(line).value
            place = size > 0 ? .chunk(left: size) : .trailers
        case .chunkEnd:
            guard line.isEmpty else { throw .malformedChunk }
            place = .chunkSize
        case .trailers:
            if line.isEmpty { return end() }
            let field = try takeField(line)
            guard !RequestFields.isSpecial(field) else { throw .malformedField }
            trailers.append(field.field)
        case .body, .chunk, .over: break
        }
        return nil
    }

    private mutating func takeRequestLine(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        let line = try RequestLine(bytes)
        guard line.target.utf8.count <= limits.requestLine else { throw .targetTooLong(limit: limits.requestLine) }
        self.line = line
        place = .fields
    }

    private mutating func takeField(_ line: UnsafeRawBufferPointer) throws(Problem) -> FieldLine {
        let field = try FieldLine(line)
        count += 1
        size += field.name.count + field.value.count
        guard count <= limits.headerFields, size <= limits.headerBytes else { throw .headersTooLarge(limits) }
        return field
    }

    private mutating func head() throws(Problem) -> RequestPart? {
        var fields = RequestFields()
        swap(&fields, &self.fields)
        fields.finish()
        return try head(fields)
    }

    private mutating func head(_ known: KnownFields) throws(Problem) -> RequestPart? {
        (count, size, searched) = (known.count, known.size, 0)
        return try head(known.fields)
    }

    private mutating func head(_ fields: RequestFields) throws(Problem) -> RequestPart? {
        guard let line = line.take() else { return nil }
        if let problem = fields.framingProblem(isOld: line.isOld) { throw problem }
        isLast = !fields.keepsAlive(isOld: line.isOld)
        place = fields.isChunked ? .chunkSize : .body(left: fields.contentLength ?? 0)
        return .head(ReceivedHead(line, fields))
    }
}

/// The fields of a head, and the bytes that they were made of. A client says nearly the same of itself with each request on
/// its connection: to compare takes a fraction of the time that it takes to read.
private final class KnownFields: Sendable {
    /// More is not worth to be kept with each connection.
    private static let most = 1024

    /// From the first field to the empty line.
    let bytes: [UInt8]
    let fields: RequestFields
    /// As the decoder counts them.
    let count: Int
    let size: Int

    /// `nil` when they are not worth it.
    init?(_ bytes: UnsafeRawBufferPointer, fields: RequestFields, count: Int, size: Int) {
        guard bytes.count <= Self.most else { return nil }
        self.bytes = Array(bytes)
        self.fields = fields
        self.count = count
        self.size = size
    }

    func areNext(in input: UnsafeRawBufferPointer, at position: Int) -> Bool {
        guard let start = input.baseAddress, input.count - position >= bytes.count else { return false }
        return memcmp(start + position, bytes, bytes.count) == 0
    }
}

extension ByteBuffer {
    /// At most `limit` bytes; `nil` when there are none.
    fileprivate mutating func readSome(_ limit: Int64) -> ByteBuffer? {
        readableBytes == 0 ? nil : readSlice(length: Int(min(limit, Int64(readableBytes))))
    }
}
