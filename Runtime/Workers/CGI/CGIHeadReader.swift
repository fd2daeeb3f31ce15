import Events
package import NIOCore

/// The header of a CGI response (RFC 3875 §6.3), line by line as it comes. Lines end with LF or CR LF.
package struct CGIHeadReader: ProgramHeadReader {
    /// Bytes of a header, ends of lines included.
    static let longest = 64 << 10

    private var fields: [HeaderField] = []
    /// Lines and bytes that are done.
    private var lines = 0
    private var taken = 0
    /// Bytes of the line that has begun in which there is no end of it.
    private var scanned = 0

    package init() {}

    package mutating func read(_ output: inout ByteBuffer, isWhole: Bool) throws(CallFailure) -> ProgramHead? {
        while let line = takeLine(&output) {
            guard taken <= Self.longest else { throw Self.tooLong }
            lines += 1
            if line.isEmpty { return try CGIResponse(fields).head }
            try add(line)
        }
        guard taken + output.readableBytes <= Self.longest else { throw Self.tooLong }
        guard isWhole else { return nil }
        throw taken + output.readableBytes == 0
            ? .noCGIResponse("the program printed nothing")
            : .noCGIResponse("the program ended before the empty line that ends the header")
    }

    /// The next line that is complete, without its end.
    private mutating func takeLine(_ output: inout ByteBuffer) -> String? {
        let bytes = output.readableBytesView
        guard let end = bytes.dropFirst(scanned).firstIndex(of: UInt8(ascii: "\n")) else {
            scanned = bytes.count
            return nil
        }
        var line = bytes[..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        let length = end - bytes.startIndex + 1
        output.moveReaderIndex(forwardBy: length)
        taken += length
        scanned = 0
        return String(decoding: line, as: UTF8.self)
    }

    private mutating func add(_ line: String) throws(CallFailure) {
        if lines == 1, line.hasPrefix("HTTP/") {
            throw .noCGIResponse(
                "it begins with a status line, as that of an NPH script; begin with 'Status: 200 OK' instead")
        }
        guard line.first != " ", line.first != "\t" else {
            throw .noCGIResponse("line \(lines) continues the one before, which CGI does not know; join them")
        }
        guard let colon = line.firstIndex(of: ":") else {
            throw .noCGIResponse(
                "line \(lines) is no 'Name: value', but '\(line.prefix(80))'; an empty line ends the header")
        }
        let field = HeaderField(String(line[..<colon]), line[line.index(after: colon)...].trimmed)
        guard field.isSendable else {
            throw .noCGIResponse("line \(lines) is no header field that HTTP has: '\(line.prefix(80))'")
        }
        // "A NULL field value is equivalent to a field not being sent."
        if !field.value.isEmpty { fields.append(field) }
    }

    private static let tooLong = CallFailure.noCGIResponse("its header is longer than \(longest >> 10) KiB")
}

extension CallFailure {
    static func noCGIResponse(_ what: String) -> CallFailure {
        CallFailure(.contractBroken, "the program's output is no CGI response: \(what)")
    }
}

extension Substring {
    /// Without spaces and tabs at both ends.
    fileprivate var trimmed: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var text = drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return String(text)
    }
}
