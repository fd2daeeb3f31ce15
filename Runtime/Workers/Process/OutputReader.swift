import NIOCore

/// Reads one of a worker's output pipes, always, and gives each line on.
final class OutputReader: ChannelInboundHandler, @unchecked Sendable {
    // `@unchecked`: confined to the process's lane.
    typealias InboundIn = ByteBuffer

    private var splitter = LineSplitter()
    private let onLine: (String) -> Void

    init(onLine: @escaping (String) -> Void) { self.onLine = onLine }

    func take(_ bytes: ByteBuffer) { bytes.withUnsafeReadableBytes { splitter.take($0, onLine) } }

    func finish() { splitter.finish(onLine) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { take(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
