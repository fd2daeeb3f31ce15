package import Events
import NIOCore
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

/// A response on its way to its client.
///
/// Written here and not by NIO's encoder: one buffer and one write a response, and the framing is decided in one place,
/// with `HEAD` and HTTP/1.0 in it.
package struct ResponsePlan: Sendable {
    package let framing: ResponseFraming
    private let head: ResponseHead

    /// - Parameter length: of the body, where it is known.
    /// - Throws: a 502 for a status that would break the connection for others.
    package init(_ head: ResponseHead, length: Int?, context: ResponseContext) throws(Problem) {
        guard (200...599).contains(head.status) || head.status == 101 && context.mayUpgrade else {
            throw .invalidResponse("Its status is \(head.status); only 200 to 599 can be sent.")
        }
        self.head = head
        framing = Self.framing(head, length: length.map(Int64.init), context)
    }

    private static func framing(
        _ head: ResponseHead, length: Int64?, _ context: ResponseContext
    ) -> ResponseFraming {
        if head.status == 101 { return .upgrade }
        if head.status == 204 || head.status == 304 { return .absent(length: nil) }
        if let length, !context.isHead { return .length(length) }
        let declared = declaredLength(head)
        if context.isHead { return .absent(length: length == 0 ? declared ?? 0 : length ?? declared) }
        if let declared { return .length(declared) }
        return context.isOld ? .untilClose : .chunked
    }

    /// What the last `Content-Length` says.
    private static func declaredLength(_ head: ResponseHead) -> Int64? {
        let field = head.headers.last { $0.name.withRawUTF8 { OwnField($0) } == .contentLength }
        return field.flatMap { Int64($0.value) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    /// Bytes that `write` takes at most.
    ///
    /// - Parameter trailer: the `Date` and `Server` lines.
    func room(trailer: [UInt8]) -> Int {
        // What else is written has fewer than 256 bytes.
        var room = 256 + reason.utf8.count + trailer.count
        for field in head.headers { room += field.room }
        return room
    }

    /// - Parameter keepsAlive: whether another request may follow.
    /// - Throws: a 502 for a field that would break the connection for others.
    func write(
        to text: inout TextWriter, context: ResponseContext, keepsAlive: Bool, invocation: InvocationID?,
        trailer: [UInt8]
    ) throws(Problem) {
        if head.status == 200 {
            text.write("HTTP/1.1 200 OK\r\n")
        } else {
            text.write("HTTP/1.1 ")
            text.write(number: head.status)
            text.write(" ")
            text.write(text: reason)
            text.write("\r\n")
        }
        guard writeFields(to: &text, takesTrailers: context.takesTrailers) else {
            throw .invalidResponse("It has a header field that is not valid HTTP.")
        }
        writeFraming(to: &text, context, keepsAlive, invocation)
        text.write(trailer)
        text.write("\r\n")
    }

    private var reason: String { head.status == 200 ? "OK" : HTTPResponseStatus(statusCode: head.status).reasonPhrase }

    /// Those that are the function's to say. `false` when one is not valid.
    private func writeFields(to text: inout TextWriter, takesTrailers: Bool) -> Bool {
        let announcesTrailers = takesTrailers && framing == .chunked
        for field in head.headers {
            let isValid = field.withSendableBytes { name, value in
                switch OwnField(name) {
                case .none: text.writeField(name, value)
                case .trailer: if announcesTrailers { text.writeField(name, value) }
                case .contentLength, .dropped: break
                }
            }
            guard isValid else { return false }
        }
        return true
    }

    private func writeFraming(
        to text: inout TextWriter, _ context: ResponseContext, _ keepsAlive: Bool, _ invocation: InvocationID?
    ) {
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

    init(_ name: UnsafeRawBufferPointer) {
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
        for field in trailers {
            field.withSendableBytes { name, _ in
                if case .none = OwnField(name) { writeString("\(field.name): \(field.value)\r\n") }
            }
        }
        writeStaticString("\r\n")
    }
}

extension HeaderField {
    /// Gives the bytes of a token, and of a value without control characters (RFC 9110 §5.1, §5.5), so that none can begin
    /// another field. `false` for what is no such field.
    @discardableResult
    fileprivate func withSendableBytes(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) -> Bool {
        name.withRawUTF8 { name in
            value.withRawUTF8 { value in
                guard !name.isEmpty, ByteSet.tokens.containsAll(of: name), value.areFieldCharacters else {
                    return false
                }
                body(name, value)
                return true
            }
        }
    }

    /// Bytes that its line takes.
    fileprivate var room: Int { name.utf8.count + value.utf8.count + 4 }
}
