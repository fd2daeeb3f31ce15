package import NIOCore

extension Channel {
    /// Bytes that wait for the other side to take them. Only on the channel's loop.
    package var unflushed: Int { (try? syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}
