/// What a CALL says, as a worker reads it.
package struct ReceivedCall: Sendable {
    package enum Content: Sendable {
        case request(ReceivedRequest)
        /// With its CloudEvents attributes.
        case event(CallHead.Kind, [WireField])
    }

    package var invocation: WireID
    /// 1 for the first.
    package var attempt: UInt32
    /// Microseconds that the call may take from its arrival.
    package var time: UInt64
    package var content: Content

    package init(invocation: WireID, attempt: UInt32, time: UInt64, _ content: Content) {
        self.invocation = invocation
        self.attempt = attempt
        self.time = time
        self.content = content
    }

    /// Reads all but the first bytes of the body, which are what remains.
    package init(from reader: inout ByteReader) throws(WireError) {
        let kind = try CallHead.Kind(from: &reader)
        invocation = try WireID(from: &reader)
        attempt = try reader.integer()
        time = try reader.integer()
        content = kind == .http ? .request(try ReceivedRequest(from: &reader)) : .event(kind, try reader.fields())
    }
}

/// The head of a request in the bytes of its CALL. A part becomes a string when somebody asks for it.
package struct ReceivedRequest: Sendable {
    private let bytes: [UInt8]
    /// Where the parameters begin in them, and where the headers do.
    private let parametersStart: Int
    private let headersStart: Int

    /// Throws unless all of it can be read: nothing has to be checked later.
    package init(from reader: inout ByteReader) throws(WireError) {
        let start = reader.position
        try reader.skip(strings: 4)
        parametersStart = reader.position - start
        try reader.skip(strings: 2 * reader.fieldCount())
        headersStart = reader.position - start
        try reader.skip(strings: 2 * reader.fieldCount())
        bytes = [UInt8](UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.position]))
    }

    /// As it would have come from a host.
    package init(_ request: WireRequest) {
        var writer = ByteWriter()
        writer.write(request)
        self = writer.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes, range: 0..<bytes.count)
            // Throws nothing: these bytes are a whole request, as `ByteWriter` has just written it.
            return try! ReceivedRequest(from: &reader)
        }
    }

    package var method: String { string(0) }
    package var path: String { string(1) }
    package var query: String { string(2) }
    package var remoteAddress: String { string(3) }

    package var parameters: ReceivedFields { ReceivedFields(bytes, start: parametersStart) }
    package var headers: ReceivedFields { ReceivedFields(bytes, start: headersStart) }

    private func string(_ index: Int) -> String {
        bytes.withReader(at: 0) { reader throws(WireError) in
            try reader.skip(strings: index)
            return try reader.string()
        }
    }
}

/// A list of fields in the bytes of the frame that it came in.
package struct ReceivedFields: Sendable {
    private let bytes: [UInt8]
    private let start: Int

    fileprivate init(_ bytes: [UInt8], start: Int) {
        self.bytes = bytes
        self.start = start
    }

    package var count: Int { bytes.withReader(at: start) { reader throws(WireError) in try reader.fieldCount() } }

    /// All of them, in order.
    package var fields: [WireField] { bytes.withReader(at: start) { reader throws(WireError) in try reader.fields() } }

    /// The first value for whose name `matches` holds.
    package func first(where matches: (UnsafeRawBufferPointer) -> Bool) -> String? {
        bytes.withReader(at: start) { reader throws(WireError) in
            for _ in 0..<(try reader.fieldCount()) {
                if matches(try reader.slice()) { return try reader.string() }
                try reader.skip(strings: 1)
            }
            return nil
        }
    }
}

extension [UInt8] {
    /// For bytes whose strings and lists `ReceivedRequest.init` has read, to their ends.
    fileprivate func withReader<Result>(
        at start: Int, _ read: (inout ByteReader) throws(WireError) -> Result
    ) -> Result {
        withUnsafeBytes { bytes in
            var reader = ByteReader(bytes, range: start..<bytes.count)
            // Throws nothing: a reader throws where the bytes end too early, and the same reading has met no such end.
            return try! read(&reader)
        }
    }
}
