import Glibc
import NIOCore

/// Bytes on their way to the client.
extension HTTPConnection {
    /// Sends bytes, straight to the socket where none wait before them; what it does not take at once waits in NIO's
    /// queue. For a small response, that queue and its flush cost more than everything else that the gateway does.
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
        // A channel that is active has its descriptor still: both end on this thread, in one step.
        guard let descriptor, !mustQueue, let channel, channel.isActive else { return 0 }
        // NIO meets the same error, and closes the channel for it.
        return max(0, Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL)))
    }

    /// Adds bytes to those that the next flush sends.
    func queue(
        _ bytes: ByteBuffer, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil,
        flushes: Bool = false
    ) {
        mayBeBehind = true
        context.write(Self.wrapOutboundOut(bytes), promise: promise)
        if flushes { context.flush() }
    }

    /// Whether bytes wait in NIO's queue, which later ones must not overtake.
    var mustQueue: Bool {
        if mayBeBehind { mayBeBehind = unflushed > 0 }
        return mayBeBehind
    }
}
