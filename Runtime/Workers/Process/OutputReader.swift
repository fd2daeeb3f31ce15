import NIOCore

/// Reads one of a worker's output pipes, always, and gives each line on.
final class OutputReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var splitter = LineSplitter()
    private let onLine: (String) -> Void

    init(onLine: @escaping (String) -> Void) { self.onLine = onLine }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { splitter.take($0, onLine) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        splitter.finish(onLine)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
