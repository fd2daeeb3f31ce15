package import NIOCore
package import NIOHTTP1

/// NIO's decoder, and what it does not tell of a message that it gives up on: whether its first line was over.
package final class RequestDecoder: ByteToMessageDecoder {
    package typealias InboundOut = HTTPServerRequestPart

    /// Where decoding stopped for good.
    package struct Failure: Error, Hashable {
        package var reason: HTTPParserError
        package var place: Place
    }

    package enum Place: Sendable, Hashable {
        /// `isComplete`: the line is there, and looks as a request line does.
        case requestLine(isComplete: Bool)
        case later
    }

    private let base: HTTPRequestDecoder
    /// No end of line has been seen since the last message's end. With pipelined messages in one read it may be set too
    /// late, which only makes a 414 a 431.
    private var inFirstLine = true
    /// A message has ended in the bytes that are being decoded, so that their beginning tells nothing of an error.
    private var hasMovedOn = false

    package init(_ configuration: GatewayConfiguration) {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = max(configuration.headerBytes, configuration.requestLine)
        limits.maxHeaderListSize = configuration.headerBytes + configuration.requestLine
        limits.maxHeaderFieldCount = configuration.headerFields
        base = HTTPRequestDecoder(limitConfiguration: limits)
    }

    /// Called by the connection when a message has ended.
    package func messageEnded() {
        inFirstLine = true
        hasMovedOn = true
    }

    package func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        let atStart = inFirstLine
        hasMovedOn = false
        let bytes = buffer
        if inFirstLine, bytes.readableBytesView.contains(UInt8(ascii: "\n")) { inFirstLine = false }
        do {
            return try base.decode(context: context, buffer: &buffer)
        } catch let error as HTTPParserError {
            throw Failure(reason: error, place: atStart && !hasMovedOn ? Self.place(bytes) : .later)
        }
    }

    package func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        try base.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
    }

    package func decoderAdded(context: ChannelHandlerContext) { base.decoderAdded(context: context) }
    package func decoderRemoved(context: ChannelHandlerContext) { base.decoderRemoved(context: context) }

    private static func place(_ bytes: ByteBuffer) -> Place {
        let view = bytes.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return .requestLine(isComplete: false) }
        var words = view[..<end].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        if words.last?.last == UInt8(ascii: "\r") { words.append(words.removeLast().dropLast()) }
        let isComplete =
            words.count == 3
            && words[0].allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "-") }
            && (words[2].elementsEqual("HTTP/1.1".utf8) || words[2].elementsEqual("HTTP/1.0".utf8))
        return .requestLine(isComplete: isComplete)
    }
}

@available(*, unavailable)
extension RequestDecoder: Sendable {}
