import Glibc
package import NIOCore

/// The way of small writes past a channel's queue, straight to its socket. For few bytes, that queue and its flush cost more
/// than the system call. Confined to the channel's loop.
package struct StraightOutput {
    private let descriptor: CInt?
    /// Bytes have gone into the channel's queue and were not seen to leave it.
    private var mayBeBehind = false

    /// - Parameter descriptor: of the channel's socket, which stays the channel's; `nil` where everything is queued.
    package init(_ descriptor: CInt?) { self.descriptor = descriptor }

    /// Returns how many of the bytes the socket has taken; the channel's queue is for the rest.
    package mutating func send(_ bytes: UnsafeRawBufferPointer, over channel: any Channel) -> Int {
        // A channel that is active has its descriptor still: both end on this thread, in one step.
        guard let descriptor, !isBehind(channel), channel.isActive else { return 0 }
        // The channel meets the same error, and closes for it.
        return max(0, Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT | MSG_NOSIGNAL)))
    }

    /// Bytes go into the channel's queue.
    package mutating func noteQueued() { mayBeBehind = true }

    /// Whether bytes wait in the channel's queue, which later ones must not overtake.
    package mutating func isBehind(_ channel: any Channel) -> Bool {
        if mayBeBehind { mayBeBehind = channel.unflushed > 0 }
        return mayBeBehind
    }
}
