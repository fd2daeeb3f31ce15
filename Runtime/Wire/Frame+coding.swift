/// The type byte of each frame.
package enum FrameType: UInt8 {
    case hello = 0x01
    case welcome = 0x02
    case call = 0x03
    case cancel = 0x04
    case goodbye = 0x05
    case fork = 0x06
    case body = 0x10
    case credit = 0x11
    case reset = 0x12
    case response = 0x20
    case acknowledge = 0x21
    case failure = 0x22
    case log = 0x23
    case state = 0x24
    case stateReply = 0x25
    case forked = 0x26
}

/// Bit 0 of the flags: the sender's body is complete with this frame.
private let endFlag: UInt8 = 0x01
/// Bit 1, of a CALL: it is not the worker's yet, but whoever takes it first.
private let aheadFlag: UInt8 = 0x02

// MARK: Encoding

extension Frame {
    /// Appends the frame to `writer`.
    package func encode(into writer: inout ByteWriter) {
        Self.encode(message.type, call, end: message.isEnd, into: &writer) { message.encodePayload(into: &$0) }
    }

    /// Appends a CALL as `encode` does, without what a `Message` would copy.
    ///
    /// - Parameters:
    ///   - head: without what `content` appends: the request, or the event's attributes.
    ///   - body: bytes that the sender puts behind it.
    ///   - isAhead: it is sent ahead of its turn, and to be taken.
    package static func encode(
        call: UInt32, _ head: CallHead, body: Int, end: Bool, isAhead: Bool = false, into writer: inout ByteWriter,
        content: (inout ByteWriter) -> Void
    ) {
        let flags = (end ? endFlag : 0) | (isAhead ? aheadFlag : 0)
        encode(.call, call, flags: flags, body: body, into: &writer) { writer in
            head.encodeStart(into: &writer)
            content(&writer)
        }
    }

    /// Appends a RESPONSE as `encode` does, without what a `Message` would copy.
    package static func encode(
        response status: UInt16, to call: UInt32, headers: [WireField], body: UnsafeRawBufferPointer, end: Bool,
        into writer: inout ByteWriter
    ) {
        encode(.response, call, end: end, into: &writer) { writer in
            writer.write(status)
            writer.write(headers)
            writer.append(body)
        }
    }

    /// Appends a STATE as `encode` does, without what a `Message` would copy.
    package static func encode(
        call: UInt32, request: UInt32, scope: UInt32, _ operation: StateRequest, into writer: inout ByteWriter
    ) {
        encode(.state, call, end: false, into: &writer) { writer in
            writer.write(request)
            writer.write(scope)
            operation.encode(into: &writer)
        }
    }

    private static func encode(
        _ type: FrameType, _ call: UInt32, end: Bool, into writer: inout ByteWriter, payload: (inout ByteWriter) -> Void
    ) {
        encode(type, call, flags: end ? endFlag : 0, into: &writer, payload: payload)
    }

    private static func encode(
        _ type: FrameType, _ call: UInt32, flags: UInt8, body: Int = 0, into writer: inout ByteWriter,
        payload: (inout ByteWriter) -> Void
    ) {
        let start = writer.count
        writer.write(UInt32(0))
        writer.write(type.rawValue)
        writer.write(flags)
        writer.write(UInt16(0))
        writer.write(call)
        payload(&writer)
        writer.replace(at: start, with: UInt32(writer.count - start - Frame.headerSize + body))
    }
}

extension Message {
    /// The type of its frame, for messages to people.
    package var name: String { "\(type)" }

    var type: FrameType {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .goodbye: .goodbye
        case .fork: .fork
        case .forked: .forked
        case .call: .call
        case .cancel: .cancel
        case .body: .body
        case .credit: .credit
        case .reset: .reset
        case .response: .response
        case .acknowledge: .acknowledge
        case .failure: .failure
        case .log: .log
        case .state: .state
        case .stateReply: .stateReply
        }
    }

    var isEnd: Bool {
        switch self {
        case .call(_, _, let end), .body(_, let end), .response(_, _, _, let end): end
        case .hello, .welcome, .goodbye, .fork, .forked, .cancel, .credit, .reset, .acknowledge, .failure, .log,
            .state, .stateReply:
            false
        }
    }

    func encodePayload(into writer: inout ByteWriter) {
        switch self {
        case .goodbye, .cancel, .acknowledge: break
        case .hello(let hello):
            writer.write(hello.version)
            writer.write(hello.triggers)
            writer.write(hello.sdk)
        case .welcome(let welcome):
            writer.write(welcome.version)
            writer.write(welcome.concurrency)
            writer.write(welcome.window)
            writer.write(welcome.function)
        case .fork(let number, let environment):
            writer.write(number)
            writer.write(environment)
        case .forked(let number, let process, let reason):
            writer.write(number)
            writer.write(process)
            writer.write(reason)
        case .call(let head, let body, _):
            head.encode(into: &writer)
            body.encode(into: &writer)
        case .body(let body, _): body.encode(into: &writer)
        case .credit(let bytes): writer.write(bytes)
        case .reset(let reason): writer.write(reason)
        case .response(let status, let headers, let body, _):
            writer.write(status)
            writer.write(headers)
            body.encode(into: &writer)
        case .failure(let permanent, let message):
            writer.write(UInt8(permanent ? 1 : 0))
            writer.write(message)
        case .log(let level, let text, let metadata):
            writer.write(level)
            writer.write(text)
            writer.write(metadata)
        case .state(let request, let scope, let operation):
            writer.write(request)
            writer.write(scope)
            operation.encode(into: &writer)
        case .stateReply(let request, let reply):
            writer.write(request)
            reply.encode(into: &writer)
        }
    }
}

extension WireBody {
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .bytes(let bytes): bytes.withUnsafeBytes { writer.append($0) }
        case .range: preconditionFailure("a decoded body has no bytes of its own; take them from the decoder's input")
        }
    }
}

extension CallHead {
    func encode(into writer: inout ByteWriter) {
        encodeStart(into: &writer)
        if let request { writer.write(request) } else { writer.write(attributes) }
    }

    /// What it says of every call.
    func encodeStart(into writer: inout ByteWriter) {
        writer.write(kind.rawValue)
        writer.write(invocation.high.bigEndian)
        writer.write(invocation.low.bigEndian)
        writer.write(attempt)
        writer.write(time)
    }
}

extension ByteWriter {
    @inlinable package mutating func write(_ request: some WireRequestHead) {
        write(request.method)
        write(request.path)
        write(request.query)
        write(request.remoteAddress)
        write(request.parameters)
        write(request.headers)
    }
}

extension StateRequest {
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .get(let key):
            writer.write(UInt8(0))
            writer.write(key)
        case .set(let key, let value):
            writer.write(UInt8(1))
            writer.write(key)
            writer.write(value)
        case .delete(let key):
            writer.write(UInt8(2))
            writer.write(key)
        case .increment(let key, let amount):
            writer.write(UInt8(3))
            writer.write(key)
            writer.write(amount)
        case .list(let prefix, let after, let limit):
            writer.write(UInt8(4))
            writer.write(prefix)
            writer.write(UInt8(after == nil ? 0 : 1))
            writer.write(after ?? "")
            writer.write(limit)
        case .commit: writer.write(UInt8(5))
        case .abandon: writer.write(UInt8(6))
        case .send(let message):
            writer.write(UInt8(7))
            writer.write(message.target)
            writer.write(message.after)
            writer.write(message.attributes)
            writer.write(message.data)
        case .found(let key, let value, let version, let isRead):
            writer.write(UInt8(8))
            writer.write(key)
            writer.write(value)
            writer.write(version)
            writer.write(UInt8(isRead ? 1 : 0))
        }
    }
}

extension StateReply {
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .value(let value):
            writer.write(UInt8(0))
            writer.write(value)
        case .absent: writer.write(UInt8(1))
        case .number(let number):
            writer.write(UInt8(2))
            writer.write(number)
        case .entries(let entries, let more):
            writer.write(UInt8(3))
            writer.write(UInt8(more ? 1 : 0))
            writer.write(UInt32(entries.count))
            for entry in entries {
                writer.write(entry.key)
                writer.write(entry.value)
            }
        case .done: writer.write(UInt8(4))
        case .conflict: writer.write(UInt8(5))
        case .failed(let code, let message):
            writer.write(UInt8(6))
            writer.write(code)
            writer.write(message)
        }
    }
}

// MARK: Decoding

extension Frame {
    /// Whether a frame with these first bytes is a FORK.
    package static func isFork(header: [UInt8]) -> Bool { header[4] == FrameType.fork.rawValue }

    /// Decodes the frame that starts at `offset` in `input`, and moves `offset` past it.
    ///
    /// Returns `nil`, and leaves `offset`, while the frame is not there as a whole. Bodies are given as ranges of `input`.
    package static func decode(from input: UnsafeRawBufferPointer, at offset: inout Int) throws(WireError) -> Frame? {
        var next = offset
        guard let header = try FrameHeader.decode(from: input, at: &next) else { return nil }
        var payload = ByteReader(input, range: header.payload)
        let message = try Message(header, from: &payload)
        offset = next
        return Frame(call: header.call, message)
    }
}

/// What a frame says before its payload.
package struct FrameHeader: Sendable {
    package var type: FrameType
    /// The sender's body is complete with this frame.
    package var isEnd: Bool
    /// A call that is sent ahead of its turn.
    package var isAhead: Bool
    package var call: UInt32
    /// Where its payload is in what was decoded.
    package var payload: Range<Int>

    /// Decodes the header that starts at `offset` in `input`, and moves `offset` past its frame.
    ///
    /// Returns `nil`, and leaves `offset`, while the frame is not there as a whole.
    package static func decode(
        from input: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(WireError) -> FrameHeader? {
        guard input.count - offset >= Frame.headerSize else { return nil }
        let start = offset + Frame.headerSize
        var header = ByteReader(input, range: offset..<start)
        let length = Int(try header.integer(UInt32.self))
        guard length <= Frame.maximumPayload else {
            throw WireError("a payload of \(length) bytes; the most is \(Frame.maximumPayload)")
        }
        let code = try header.integer(UInt8.self)
        guard let type = FrameType(rawValue: code) else { throw WireError("unknown frame type \(code)") }
        let flags = try header.integer(UInt8.self)
        _ = try header.integer(UInt16.self)
        let call = try header.integer(UInt32.self)
        guard input.count - start >= length else { return nil }
        offset = start + length
        return FrameHeader(
            type: type, isEnd: flags & endFlag != 0, isAhead: flags & aheadFlag != 0, call: call,
            payload: start..<offset)
    }
}

extension Message {
    /// Decodes the payload of a frame.
    package init(_ header: FrameHeader, from reader: inout ByteReader) throws(WireError) {
        let end = header.isEnd
        switch header.type {
        case .hello:
            self = .hello(
                Hello(version: try reader.integer(), triggers: try reader.integer(), sdk: try reader.string()))
        case .welcome:
            self = .welcome(
                Welcome(
                    version: try reader.integer(), concurrency: try reader.integer(), window: try reader.integer(),
                    function: try reader.string()))
        case .goodbye: self = .goodbye
        case .fork: self = .fork(number: try reader.integer(), environment: try reader.fields())
        case .forked:
            self = .forked(
                number: try reader.integer(), process: try reader.integer(), reason: try reader.string())
        case .call:
            let head = try CallHead(from: &reader)
            self = .call(head, body: .range(reader.remaining), end: end)
            return
        case .cancel: self = .cancel
        case .body:
            self = .body(.range(reader.remaining), end: end)
            return
        case .credit: self = .credit(try reader.integer())
        case .reset: self = .reset(reason: try reader.string())
        case .response:
            let status = try reader.integer(UInt16.self)
            let headers = try reader.fields()
            self = .response(status: status, headers: headers, body: .range(reader.remaining), end: end)
            return
        case .acknowledge: self = .acknowledge
        case .failure: self = .failure(permanent: try reader.integer(UInt8.self) != 0, message: try reader.string())
        case .log: self = .log(level: try reader.integer(), text: try reader.string(), metadata: try reader.fields())
        case .state:
            self = .state(
                request: try reader.integer(), scope: try reader.integer(), try StateRequest(from: &reader))
        case .stateReply:
            let (request, reply) = try StateReply.withRequest(from: &reader)
            self = .stateReply(request: request, reply)
        }
        try reader.end()
    }
}

extension CallHead {
    init(from reader: inout ByteReader) throws(WireError) {
        self.init(
            kind: try Kind(from: &reader), invocation: try WireID(from: &reader), attempt: try reader.integer(),
            time: try reader.integer())
        if kind == .http {
            request = WireRequest(
                method: try reader.string(), path: try reader.string(), query: try reader.string(),
                remoteAddress: try reader.string(), parameters: try reader.fields(), headers: try reader.fields())
        } else {
            attributes = try reader.fields()
        }
    }
}

extension CallHead.Kind {
    init(from reader: inout ByteReader) throws(WireError) {
        let code = try reader.integer(UInt8.self)
        guard let kind = CallHead.Kind(rawValue: code) else { throw WireError("unknown kind of call \(code)") }
        self = kind
    }
}

extension WireID {
    init(from reader: inout ByteReader) throws(WireError) {
        self.init(high: UInt64(bigEndian: try reader.integer()), low: UInt64(bigEndian: try reader.integer()))
    }
}

extension StateRequest {
    init(from reader: inout ByteReader) throws(WireError) {
        let code = try reader.integer(UInt8.self)
        switch code {
        case 0: self = .get(key: try reader.string())
        case 1: self = .set(key: try reader.string(), value: try reader.data())
        case 2: self = .delete(key: try reader.string())
        case 3: self = .increment(key: try reader.string(), by: try reader.integer())
        case 4:
            let prefix = try reader.string()
            let hasAfter = try reader.integer(UInt8.self) != 0
            let after = try reader.string()
            self = .list(prefix: prefix, after: hasAfter ? after : nil, limit: try reader.integer())
        case 5: self = .commit
        case 6: self = .abandon
        case 7:
            self = .send(
                WireMessage(
                    target: try reader.string(), after: try reader.integer(), attributes: try reader.fields(),
                    data: try reader.data()))
        case 8:
            self = .found(
                key: try reader.string(), value: try reader.data(), version: try reader.integer(),
                isRead: try reader.integer(UInt8.self) != 0)
        default: throw WireError("unknown state operation \(code)")
        }
    }
}

extension StateReply {
    /// The reply with the number of the request that it is to.
    package static func withRequest(
        from reader: inout ByteReader
    ) throws(WireError) -> (request: UInt32, reply: StateReply) {
        (try reader.integer(), try StateReply(from: &reader))
    }

    private init(from reader: inout ByteReader) throws(WireError) {
        let code = try reader.integer(UInt8.self)
        switch code {
        case 0: self = .value(try reader.data())
        case 1: self = .absent
        case 2: self = .number(try reader.integer())
        case 3:
            let more = try reader.integer(UInt8.self) != 0
            let count = try reader.integer(UInt32.self)
            var entries: [WireEntry] = []
            for _ in 0..<count { entries.append(WireEntry(key: try reader.string(), value: try reader.data())) }
            self = .entries(entries, more: more)
        case 4: self = .done
        case 5: self = .conflict
        case 6: self = .failed(code: try reader.string(), message: try reader.string())
        default: throw WireError("unknown state reply \(code)")
        }
    }
}
