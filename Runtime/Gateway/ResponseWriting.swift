package import Events
package import NIOCore
import NIOHTTP1

/// How the end of a response's body is marked (RFC 9112 §6.3).
package enum ResponseFraming: Sendable, Hashable {
    /// There is no body, whatever the function gave: to `HEAD`, with 204 and 304. Says the length where it is known.
    case absent(length: Int64?)
    case length(Int64)
    case chunked
    /// The connection's end is the body's (HTTP/1.0).
    case untilClose
    /// What follows is another protocol.
    case upgrade
}

/// A response that has been found fit to be sent.
///
/// Written here and not by NIO's encoder: one buffer and one write a response, and the framing is decided in one place,
/// with `HEAD` and HTTP/1.0 in it.
package struct ResponsePlan: Sendable {
    package let framing: ResponseFraming
    private let head: ResponseHead

    /// - Parameter length: of the body, where it is known.
    /// - Throws: a 502 for a status or a field that would break the connection for others.
    package init(_ head: ResponseHead, length: Int?, context: ResponseContext) throws(Problem) {
        guard (200...599).contains(head.status) || head.status == 101 && context.mayUpgrade else {
            throw .invalidResponse("Its status is \(head.status); only 200 to 599 can be sent.")
        }
        var declared: Int64?
        for field in head.headers {
            guard field.isSendable else { throw .invalidResponse("It has a header field that is not valid HTTP.") }
            if case .contentLength = OwnField(field.name) { declared = Int64(field.value) }
        }
        self.head = head
        framing = Self.framing(status: head.status, length: length.map(Int64.init), declared: declared, context)
    }

    private static func framing(
        status: Int, length: Int64?, declared: Int64?, _ context: ResponseContext
    ) -> ResponseFraming {
        if status == 101 { return .upgrade }
        if status == 204 || status == 304 { return .absent(length: nil) }
        let declared = declared.flatMap { $0 >= 0 ? $0 : nil }
        if context.isHead { return .absent(length: length == 0 ? declared ?? 0 : length ?? declared) }
        if let length = length ?? declared { return .length(length) }
        return context.isOld ? .untilClose : .chunked
    }

    /// - Parameters:
    ///   - trailer: the `Date` and `Server` lines.
    ///   - keepsAlive: whether another request may follow.
    package func write(
        to buffer: inout ByteBuffer, context: ResponseContext, keepsAlive: Bool, invocation: InvocationID?,
        trailer: [UInt8]
    ) {
        let reason = HTTPResponseStatus(statusCode: head.status).reasonPhrase
        // What else is written has fewer than 256 bytes.
        let room = head.headers.reduce(256 + reason.utf8.count + trailer.count) { $0 + $1.room }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { memory in
            var text = TextWriter(memory)
            write(to: &text, reason: reason, context, keepsAlive, invocation)
            text.write(trailer)
            text.write("\r\n")
            return text.count
        }
    }

    private func write(
        to text: inout TextWriter, reason: String, _ context: ResponseContext, _ keepsAlive: Bool,
        _ invocation: InvocationID?
    ) {
        text.write("HTTP/1.1 ")
        text.write(number: head.status)
        text.write(" ")
        text.write(reason)
        text.write("\r\n")
        for field in head.headers {
            switch OwnField(field.name) {
            case .none: text.write(field)
            case .trailer where framing == .chunked && context.takesTrailers: text.write(field)
            case .trailer, .contentLength, .dropped: continue
            }
        }
        switch framing {
        case .absent(.some(let length)), .length(let length):
            text.write("Content-Length: ")
            text.write(number: Int(length))
            text.write("\r\n")
        case .chunked: text.write("Transfer-Encoding: chunked\r\n")
        case .upgrade: text.write("Upgrade: websocket\r\nConnection: Upgrade\r\n")
        case .absent(.none), .untilClose: break
        }
        if let invocation {
            text.write("Apus-Invocation: ")
            text.write(invocation)
            text.write("\r\n")
        }
        if !keepsAlive, framing != .upgrade {
            text.write("Connection: close\r\n")
        } else if keepsAlive, context.isOld {
            text.write("Connection: keep-alive\r\n")
        }
    }
}

/// The fields that the gateway writes itself, or that concern its connection alone.
private enum OwnField {
    case none, contentLength, trailer, dropped

    init(_ name: String) { self = name.withRawUTF8 { OwnField($0) } }

    private init(_ name: UnsafeRawBufferPointer) {
        func equals(_ other: StaticString) -> Bool { name.equals(lowercased: other) }
        switch name.count {
        case 2: self = equals("te") ? .dropped : .none
        case 4: self = equals("date") ? .dropped : .none
        case 6: self = equals("server") ? .dropped : .none
        case 7: self = equals("trailer") ? .trailer : equals("upgrade") ? .dropped : .none
        case 10: self = equals("connection") || equals("keep-alive") ? .dropped : .none
        case 14: self = equals("content-length") ? .contentLength : .none
        case 15: self = equals("apus-invocation") ? .dropped : .none
        case 16: self = equals("proxy-connection") ? .dropped : .none
        case 17: self = equals("transfer-encoding") ? .dropped : .none
        default: self = .none
        }
    }
}

extension ByteBuffer {
    /// `chunk` in chunked transfer coding (RFC 9112 §7.1). An empty one would be the end.
    mutating func writeChunk(_ chunk: ByteBuffer) {
        writeString(String(chunk.readableBytes, radix: 16))
        writeStaticString("\r\n")
        writeImmutableBuffer(chunk)
        writeStaticString("\r\n")
    }

    /// The end of a body in chunked transfer coding (RFC 9112 §7.1.2), with the trailers that may be sent.
    mutating func writeLastChunk(_ trailers: [HeaderField]) {
        writeStaticString("0\r\n")
        for field in trailers where field.isSendable {
            if case .none = OwnField(field.name) { writeString("\(field.name): \(field.value)\r\n") }
        }
        writeStaticString("\r\n")
    }
}

extension HeaderField {
    /// A token, and a value without control characters (RFC 9110 §5.1, §5.5), so that none can begin another field.
    fileprivate var isSendable: Bool {
        !name.isEmpty && ByteSet.tokens.containsAll(of: name) && ByteSet.fields.containsAll(of: value)
    }

    /// Bytes that its line takes.
    fileprivate var room: Int { name.utf8.count + value.utf8.count + 4 }
}
