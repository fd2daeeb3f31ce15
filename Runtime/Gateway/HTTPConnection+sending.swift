import NIOCore
import Workers

/// Bytes on their way to the client.
extension HTTPConnection {
    /// Sends bytes, straight to the socket where none wait before them; what it does not take at once waits in NIO's
    /// queue.
    func send(_ bytes: UnsafeRawBufferPointer, _ context: ChannelHandlerContext) {
        let sent = sendNow(bytes)
        if sent < bytes.count { queue(ByteBuffer(bytes: bytes.part(sent...)), context, flushes: true) }
    }

    func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var rest = bytes
        rest.moveReaderIndex(forwardBy: rest.withUnsafeReadableBytes(sendNow))
        if rest.readableBytes > 0 { queue(rest, context, flushes: true) }
    }

    /// Returns how many bytes the socket has taken.
    private func sendNow(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let channel else { return 0 }
        return output.send(bytes, over: channel)
    }

    /// Adds bytes to those that the next flush sends.
    func queue(
        _ bytes: ByteBuffer, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil,
        flushes: Bool = false
    ) {
        output.noteQueued()
        context.write(Self.wrapOutboundOut(bytes), promise: promise)
        if flushes { context.flush() }
    }

    /// Whether bytes wait in NIO's queue, which later ones must not overtake.
    var mustQueue: Bool {
        guard let channel else { return false }
        return output.isBehind(channel)
    }
}
