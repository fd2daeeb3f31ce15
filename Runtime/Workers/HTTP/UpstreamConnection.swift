import Events
import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection to a worker's server, which carries one exchange after the other. Confined to the lane's loop.
final class UpstreamConnection: ChannelInboundHandler, @unchecked Sendable {
    // `@unchecked`: confined to the channel's event loop, as every channel handler is.
    typealias InboundIn = HTTPClientResponsePart

    /// What its owner hears, on the loop.
    struct Reports {
        /// The exchange is over, and the connection is free for another, or closed.
        let ended: (HTTPExchange, UpstreamConnection) -> Void
        /// The exchange has met an end that is no answer. The connection is closed.
        let failed: (HTTPExchange, UpstreamConnection, _ why: String) -> Void
        /// It is gone.
        let closed: (UpstreamConnection) -> Void
    }

    private let reports: Reports
    private let encoder: HTTPRequestEncoder
    private let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
    private var channel: (any Channel)?
    private var exchange: HTTPExchange?
    private var isTunnel = false
    /// Whether it carries its first exchange.
    private(set) var isNew = true

    init(_ reports: Reports) {
        self.reports = reports
        // Requests come framed.
        var configuration = HTTPRequestEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        encoder = HTTPRequestEncoder(configuration: configuration)
    }

    func connect(to address: SocketAddress, on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(5))
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 128 << 10))
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16384, maximum: 128 << 10)
            )
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    self.channel = channel
                    try channel.pipeline.syncOperations.addHandlers(encoder, decoder, self, TunnelReader(receive))
                }
            }.connect(to: address)
    }

    /// Whether it can carry a request.
    var isOpen: Bool { channel?.isActive ?? false }

    /// A socket that was connected before anybody listened may be connected with itself (tcp(7) allows it).
    var isOwnPeer: Bool { channel.map { $0.localAddress == $0.remoteAddress } ?? false }

    func close() { channel?.close(promise: nil) }

    /// Reads nothing while nobody takes it.
    func pause(_ pause: Bool) { try? channel?.syncOptions?.setOption(.autoRead, value: !pause) }

    // MARK: Requests

    func start(_ exchange: HTTPExchange) {
        self.exchange = exchange
        exchange.connection = self
        guard let channel, channel.isActive else { return lose() }
        channel.write(HTTPClientRequestPart.head(exchange.request.head), promise: nil)
        switch (exchange.request.body, exchange.request.expectation) {
        case (_, .response(upgrade: true)): end(channel, exchange)
        case (.bytes(let bytes), _):
            if bytes.readableBytes > 0 {
                channel.write(HTTPClientRequestPart.body(.byteBuffer(bytes)), promise: nil)
            }
            end(channel, exchange)
        case (.stream, _):
            channel.flush()
            exchange.startUpload { chunk in
                try await channel.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(chunk)))
            } end: { [exchange] trailers in
                exchange.state.requestSent()
                let fields = trailers.isEmpty ? nil : HTTPHeaders(trailers)
                try await channel.writeAndFlush(HTTPClientRequestPart.end(fields))
            }
        }
    }

    private func end(_ channel: any Channel, _ exchange: HTTPExchange) {
        exchange.state.requestSent()
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    // MARK: Channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isTunnel { return context.fireChannelRead(data) }
        // What comes unasked can be no answer to the next request either.
        guard let exchange else { return close() }
        switch Self.unwrapInboundIn(data) {
        case .head(let head): take(exchange.state.received(head), exchange)
        case .body(let bytes): take(exchange.state.received(bytes), exchange)
        case .end(let trailers): take(exchange.state.receivedEnd(trailers: trailers?.fields ?? []), exchange)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if let exchange { take(exchange.state.readEnded(), exchange) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let exchange {
            // Before the decoder hears of the end, for which a body that ends with its connection is whole then.
            let isGarbled = error is HTTPParserError
            take(isGarbled ? exchange.state.garbled("\(error)") : exchange.state.closed(), exchange)
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { lose() }

    private func receive(_ bytes: ByteBuffer) {
        if let exchange { take(exchange.state.received(bytes), exchange) }
    }

    private func lose() {
        channel = nil
        if let exchange { take(exchange.state.closed(), exchange) }
        // One that had been given up still holds this.
        exchange = nil
        reports.closed(self)
    }

    // MARK: Answers

    private func take(_ step: ExchangeState.Step, _ exchange: HTTPExchange) {
        switch step {
        case .none: break
        case .open(let head, let bytes): exchange.open(head, bytes)
        case .write(let bytes): exchange.write(bytes)
        case .upgrade(let head): startTunnel(head, exchange)
        case .respond(let head, let bytes, let trailers):
            free(exchange)
            exchange.respond(head, bytes, trailers: trailers)
        case .finish(let trailers):
            free(exchange)
            exchange.finish(trailers: trailers)
        case .acknowledge(let status, let headers):
            free(exchange)
            exchange.acknowledge(status: status, headers)
        case .settled: free(exchange)
        case .fail(let why):
            self.exchange = nil
            close()
            reports.failed(exchange, self, why)
        }
    }

    /// First free, then answered: who hears the answer may call again at once.
    private func free(_ exchange: HTTPExchange) {
        self.exchange = nil
        isNew = false
        if !exchange.state.leavesConnection { close() }
        pause(false)
        reports.ended(exchange, self)
    }

    private func startTunnel(_ head: ResponseHead, _ exchange: HTTPExchange) {
        guard let channel else { return }
        isTunnel = true
        exchange.open(head, ByteBuffer())
        let operations = channel.pipeline.syncOperations
        operations.removeHandler(encoder, promise: nil)
        // The decoder hears what is written too, and goes later: after what it holds.
        operations.removeHandler(decoder).assumeIsolated().whenSuccess {
            exchange.startUpload { chunk in
                try await channel.writeAndFlush(chunk)
            } end: { _ in
                try await channel.close(mode: .output)
            }
        }
    }
}

/// Hands on what comes once the protocol is no longer HTTP.
private final class TunnelReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let onBytes: (ByteBuffer) -> Void

    init(_ onBytes: @escaping (ByteBuffer) -> Void) { self.onBytes = onBytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onBytes(Self.unwrapInboundIn(data)) }
}
