package import Engine
package import Events
import Glibc
package import Logging
package import Manifests
package import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
package import Workers

/// The HTTP trigger: HTTP/1.1 and 1.0 over TCP, on every lane.
///
/// Connections beyond the limit are accepted and their first request is answered 503, so that clients know why; past
/// as many again, at most 1,024, they are closed at once. Out of descriptors, accepting pauses.
package final class HTTPGateway: Service {
    /// Runs one request, on its lane's thread, and tells the reply once; `InvocationEngine.respond` in production.
    package typealias Respond =
        @Sendable (RequestHead, Body, _ function: String, InvocationID, Lane, @escaping ReplyEnd) -> any RunningRequest

    /// Connections beyond the limit that get an answer.
    static let surplus = 1024

    private struct Listening {
        var acceptors: [Acceptor] = []
        var isAccepting = false
        var lanes: [NIOLoopBound<GatewayLane>] = []
        var addresses: [SocketAddress] = []
    }

    private let configuration: GatewayConfiguration
    private let logger: Logger
    private let lanes: [Lane]
    /// For each lane.
    private let shared: [GatewayShared]
    private let connections = ConnectionCount()
    private let drains = Atomic(false)
    private let listening = Mutex(Listening())

    /// - Parameters:
    ///   - lanes: at least one.
    ///   - respond: runs one request, which is cancelled when nobody waits for the answer any more.
    package init(
        configuration: GatewayConfiguration, lanes: [Lane], respond: @escaping Respond, queue: RequestQueue,
        logger: Logger
    ) {
        precondition(!lanes.isEmpty, "a gateway needs a lane")
        self.configuration = configuration
        self.logger = logger
        self.lanes = lanes
        shared = lanes.map { [connections] _ in
            GatewayShared(
                configuration: configuration, respond: respond, queue: queue, logger: logger, connections: connections)
        }
    }

    /// Routes requests by `manifests` from now on; running requests are untouched.
    package func update(_ manifests: [Manifest]) {
        for shared in shared { shared.routes.update(RouteTable(manifests)) }
    }

    /// Where it listens; empty before `listen`.
    package var boundAddresses: [SocketAddress] { listening.withLock { $0.addresses } }

    /// The first of them.
    package var boundAddress: SocketAddress? { boundAddresses.first }

    /// Whether it takes no more connections, for good.
    package var isDraining: Bool { drains.load(ordering: .relaxed) }

    /// Open connections.
    package var connectionCount: Int { connections.value }

    /// Binds, unless that is done, serves until graceful shutdown or cancellation, then drains.
    package func run() async throws {
        if boundAddress == nil { try await listen() }
        accept()
        do {
            try await gracefulShutdown()
        } catch {
            return await drain(within: .zero)
        }
        await drain(within: configuration.drainTime)
    }

    /// Listens and serves.
    ///
    /// - Throws: `GatewayError`, with the address and what to do.
    package func bind() async throws {
        try await listen()
        accept()
    }

    /// Finds out whether one could listen there.
    ///
    /// - Throws: `GatewayError`, with the address and what to do.
    package static func check(host: String, port: Int) throws(GatewayError) {
        Glibc.close(try ListeningSocket(host: host, port: port).descriptor)
    }

    /// Takes the address. Clients that come wait in the kernel's queue until `run` or `bind` serves them.
    ///
    /// - Throws: `GatewayError`, with the address and what to do.
    package func listen() async throws {
        var bound: [NIOLoopBound<GatewayLane>] = []
        for (lane, shared) in zip(lanes, shared) {
            try await bound.append(
                lane.loop.submit {
                    NIOLoopBound(GatewayLane(shared: shared, lane: lane), eventLoop: lane.loop)
                }.get())
        }
        let sockets = try sockets()
        let acceptors = try sockets.map { try Acceptor($0, logger: logger) }
        listening.withLock {
            $0 = Listening(acceptors: acceptors, lanes: bound, addresses: sockets.map(\.address))
        }
    }

    private func sockets() throws(GatewayError) -> [ListeningSocket] {
        guard configuration.inherited.isEmpty else {
            return try configuration.inherited.map { descriptor throws(GatewayError) in
                try ListeningSocket(inherited: descriptor)
            }
        }
        return [try ListeningSocket(host: configuration.host, port: configuration.port)]
    }

    private func accept() {
        let (acceptors, bound) = listening.withLock { state in
            defer { state.isAccepting = true }
            return (state.isAccepting ? [] : state.acceptors, state.lanes)
        }
        let limit = configuration.connections
        let most = limit + min(limit, Self.surplus)
        for acceptor in acceptors {
            let next = Atomic(0)
            acceptor.start { [bound, connections] descriptor in
                if connections.value >= most {
                    Glibc.close(descriptor)
                    return
                }
                let turn = next.wrappingAdd(1, ordering: .relaxed).oldValue
                Self.adopt(descriptor, bound[turn % bound.count])
            }
        }
    }

    /// Stops accepting, closes connections that are idle for longer than a moment, answers the others with
    /// `Connection: close`, and waits for running requests; what still runs after `time` is cancelled.
    package func drain(within time: Duration) async {
        drains.store(true, ordering: .relaxed)
        let (acceptors, lanes) = listening.withLock { state in
            defer { state.acceptors = [] }
            return (state.acceptors, state.lanes)
        }
        for acceptor in acceptors { await acceptor.stop() }
        // Those that were accepted last are counted only when their lanes have them.
        for lane in lanes { try? await lane.eventLoop.submit { lane.value.drain() }.get() }
        if time > .zero { await connections.none(within: time) }
        for lane in lanes { try? await lane.eventLoop.submit { lane.value.closeAll() }.get() }
    }

    private static func adopt(_ descriptor: CInt, _ lane: NIOLoopBound<GatewayLane>) {
        lane.eventLoop.execute {
            _ = ClientBootstrap(group: lane.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try Self.configure(channel, lane.value, descriptor) }
                }
                .withConnectedSocket(descriptor)
        }
    }

    private static func configure(_ channel: any Channel, _ lane: GatewayLane, _ descriptor: CInt) throws {
        // Not as options of the bootstrap, which makes four futures for each.
        let options = channel.syncOptions
        try options?.setOption(.autoRead, value: false)
        try options?.setOption(.maxMessagesPerRead, value: 1)
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try channel.pipeline.syncOperations.addHandler(HTTPConnection(lane: lane, descriptor: descriptor))
    }
}
