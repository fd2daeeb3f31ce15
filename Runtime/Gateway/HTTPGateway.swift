package import Engine
package import Events
import Glibc
package import Logging
package import Manifests
package import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization
package import Workers

/// The HTTP trigger: HTTP/1.1 and 1.0 over TCP, on every lane.
///
/// Connections beyond the limit are accepted and their first request is answered 503, so that clients know why; past
/// a further 1,024 they are closed at once. Out of descriptors, accepting pauses.
package final class HTTPGateway: Service {
    /// Runs one request; `InvocationEngine.respond` in production.
    package typealias Respond =
        @Sendable (RequestHead, Body, _ function: String, InvocationID, Lane) async throws(Problem) -> Reply

    /// Connections beyond the limit that get an answer.
    static let surplus = 1024

    private struct Listening {
        var channels: [any Channel] = []
        var lanes: [NIOLoopBound<GatewayLane>] = []
        var address: SocketAddress?
    }

    private let shared: GatewayShared
    private let lanes: [Lane]
    private let listening = Mutex(Listening())

    /// - Parameters:
    ///   - lanes: at least one.
    ///   - respond: runs one request; its task is cancelled when nobody waits for the answer any more.
    package init(
        configuration: GatewayConfiguration, lanes: [Lane], respond: @escaping Respond, logger: Logger
    ) {
        precondition(!lanes.isEmpty, "a gateway needs a lane")
        self.lanes = lanes
        shared = GatewayShared(configuration: configuration, respond: respond, logger: logger)
    }

    /// Routes requests by `manifests` from now on; running requests are untouched.
    package func update(_ manifests: [Manifest]) {
        let router = Router(manifests)
        shared.router.withLock { $0 = router }
    }

    /// Where it listens; `nil` before `bind`.
    package var boundAddress: SocketAddress? { listening.withLock { $0.address } }

    /// Open connections.
    package var connectionCount: Int { shared.connections.load(ordering: .relaxed) }

    /// Binds, unless that is done, serves until graceful shutdown or cancellation, then drains.
    package func run() async throws {
        if boundAddress == nil { try await bind() }
        do {
            try await gracefulShutdown()
        } catch {
            return await drain(within: .zero)
        }
        await drain(within: shared.configuration.drainTime)
    }

    /// Listens and serves.
    ///
    /// - Throws: `GatewayError`, with the address and what to do.
    package func bind() async throws {
        let configuration = shared.configuration
        let socket = try ListeningSocket(host: configuration.host, port: configuration.port)
        defer { close(socket.descriptor) }
        for lane in lanes {
            let bound = try await lane.loop.submit { [shared] in
                NIOLoopBound(GatewayLane(shared: shared, lane: lane), eventLoop: lane.loop)
            }.get()
            let channel = try await listen(socket.duplicate(), bound, lane.loop)
            listening.withLock {
                $0.channels.append(channel)
                $0.lanes.append(bound)
                $0.address = channel.localAddress
            }
        }
        // NIO has asked for a backlog of its own, which is too short for a burst.
        Glibc.listen(socket.descriptor, 4096)
    }

    /// Stops accepting, closes idle connections, and waits for running requests; what still runs after `time` is
    /// cancelled.
    package func drain(within time: Duration) async {
        let (channels, lanes) = listening.withLock { state in
            defer { state.channels = [] }
            return (state.channels, state.lanes)
        }
        for channel in channels { try? await channel.close().get() }
        for lane in lanes { lane.eventLoop.execute { lane.value.drain() } }
        let end = ContinuousClock.now + time
        while connectionCount > 0, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
        }
        for lane in lanes { try? await lane.eventLoop.submit { lane.value.closeAll() }.get() }
    }

    private func listen(
        _ descriptor: CInt, _ lane: NIOLoopBound<GatewayLane>, _ loop: any EventLoop
    ) async throws -> any Channel {
        try await ServerBootstrap(group: loop)
            // One at a time, so that a burst of connections is shared with the other lanes.
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .serverChannelInitializer { [logger = shared.logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptGuard { logger.error("accepting pauses", metadata: ["error": "\($0)"]) })
                }
            }
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Self.configure(channel, lane.value) }
            }
            .withBoundSocket(descriptor)
            .get()
    }

    private static func configure(_ channel: any Channel, _ lane: GatewayLane) throws {
        let configuration = lane.shared.configuration
        let count = lane.shared.connections.add(1, ordering: .relaxed).newValue
        let decoder = RequestDecoder(configuration)
        let connection = HTTPConnection(lane: lane, decoder: decoder, isSurplus: count > configuration.connections)
        try channel.pipeline.syncOperations.addHandlers(ByteToMessageHandler(decoder), connection)
        if count > configuration.connections + surplus { connection.abort() }
    }
}
