import Glibc
import NIOCore

/// Bytes on their way to the client.
extension HTTPConnection {
    /// Sends bytes, straight to the socket where none wait before them; what it does not take at once waits in NIO's
    /// queue. For a small response, that queue and its flush cost more than everything else that the gateway does.
    func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        var rest = bytes
        // A channel that is active has its descriptor still: both end on this thread, in one step.
        if let descriptor, !mustQueue, context.channel.isActive {
            let sent = rest.withUnsafeReadableBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            if sent == rest.readableBytes { return }
            // NIO meets the same error, and closes the channel for it.
            rest.moveReaderIndex(forwardBy: max(0, sent))
        }
        queue(rest, context)
        context.flush()
    }

    /// Adds bytes to those that the next flush sends.
    func queue(_ bytes: ByteBuffer, _ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil) {
        mayBeBehind = true
        context.write(Self.wrapOutboundOut(bytes), promise: promise)
    }

    /// Whether bytes wait in NIO's queue, which later ones must not overtake.
    private var mustQueue: Bool {
        if mayBeBehind { mayBeBehind = unflushed > 0 }
        return mayBeBehind
    }
}
