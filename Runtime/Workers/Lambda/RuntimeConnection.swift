import NIOCore
import NIOHTTP1

/// One connection of a runtime to its endpoint: requests in, answers out, one after the other.
final class RuntimeConnection: ChannelInboundHandler, @unchecked Sendable {
    // `@unchecked`: confined to its channel's event loop, as every channel handler is.
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// What the request that came last is.
    private enum Request {
        case none
        case poll
        case post(RuntimePost)
        case refused(RuntimeRefusal)
        /// Complete; its answer is to come.
        case answering
    }

    let id: RuntimeState.Connection
    private let endpoint: RuntimeEndpoint
    private var request = Request.none
    private var keepsAlive = true
    private var channelContext: ChannelHandlerContext?

    init(_ id: RuntimeState.Connection, of endpoint: RuntimeEndpoint) {
        self.id = id
        self.endpoint = endpoint
    }

    /// A runtime tells errors with a header of up to 1 MiB.
    static func addHandlers(_ connection: RuntimeConnection, to channel: any Channel) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 1 << 20 + 1 << 10
        limits.maxHeaderListSize = 2 << 20
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandlers([
            ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits)), HTTPResponseEncoder(), connection,
        ])
    }

    func handlerAdded(context: ChannelHandlerContext) { channelContext = context }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    func channelInactive(context: ChannelHandlerContext) {
        channelContext = nil
        endpoint.closed(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let bytes): take(bytes)
        case .end(let trailers): complete(trailers)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard case .none = request else {
            // It does not wait for its answer; no runtime does so.
            return context.close(promise: nil)
        }
        keepsAlive = head.isKeepAlive
        switch endpoint.receive(RuntimeRequest(method: head.method.rawValue, uri: head.uri), on: self) {
        case nil: request = .poll
        case .refuse(let refusal): request = .refused(refusal)
        case .some(let kind):
            request = .post(RuntimePost(kind, headers: head.headers))
            if head.headers.first(name: "Expect")?.lowercased() == "100-continue" {
                context.writeAndFlush(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
            }
        }
    }

    private func take(_ bytes: ByteBuffer) {
        guard case .post(var post) = request else { return }
        // Held by one place alone, so that its bytes are not copied.
        request = .none
        if endpoint.isStream(post) {
            endpoint.stream(bytes, of: post, on: self)
        } else if post.body.readableBytes + bytes.readableBytes <= RuntimePost.largest {
            var bytes = bytes
            post.body.writeBuffer(&bytes)
        } else {
            request = .refused(.tooLarge)
            return endpoint.refuseLarge(post)
        }
        request = .post(post)
    }

    private func complete(_ trailers: HTTPHeaders?) {
        let complete = request
        request = .answering
        switch complete {
        case .none, .answering: request = complete
        case .poll: endpoint.poll(self)
        case .post(let post): endpoint.complete(post, trailers, on: self)
        case .refused(let refusal): answer(status: refusal.status, json: ByteBuffer(string: refusal.json))
        }
    }

    // MARK: Out

    /// Reads on, or lets the runtime wait.
    func pause(_ pause: Bool) {
        try? channelContext?.channel.syncOptions?.setOption(.autoRead, value: !pause)
    }

    /// - Parameter failed: called when the runtime cannot get it.
    func answer(
        status: Int, headers: [(String, String)] = [], json: ByteBuffer, failed: @escaping () -> Void = {}
    ) {
        guard let context = channelContext else { return failed() }
        request = .none
        var fields = HTTPHeaders(headers)
        fields.add(name: "Content-Type", value: "application/json")
        fields.add(name: "Content-Length", value: String(json.readableBytes))
        if !keepsAlive { fields.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(json))), promise: nil)
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        written.assumeIsolated().whenComplete { [keepsAlive] result in
            if case .failure = result { failed() }
            if !keepsAlive { context.close(promise: nil) }
        }
    }

    func close() { channelContext?.close(promise: nil) }
}
