import Events
import HTTPTypes
import Hummingbird
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Workers

/// The control API of a host: health, functions, invocations, logs and state, for operators and for the CLI.
///
/// It has no authentication. It belongs on a loopback address, and refuses requests that a web page could have sent.
package final class AdminServer: Service {
    private let host: String
    private let port: Int
    private let connections: AsyncStream<CInt>?
    private let services: AdminServices
    private let logger: Logger
    private let bound = Mutex<Int?>(nil)
    private let onListening: @Sendable (_ port: Int) -> Void

    /// - Parameters:
    ///   - port: 0 lets the system choose one.
    ///   - connections: those of a socket that listens there already, until the shutdown; without, it makes its own.
    ///   - onListening: called once, with the port, when connections are accepted.
    package init(
        host: String, port: Int, connections: AsyncStream<CInt>? = nil, services: AdminServices, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.connections = connections
        self.services = services
        self.logger = logger
        self.onListening = onListening
    }

    /// The port that it listens on; `nil` before it does.
    package var boundPort: Int? { bound.withLock { $0 } }

    /// Serves until the task is cancelled or a graceful shutdown begins; then finishes what runs.
    package func run() async throws {
        var quiet = logger
        // Hummingbird says for each connection and signal what this host says once, in its own words.
        quiet.logLevel = max(logger.logLevel, .warning)
        let router = AdminRoutes(services: services, listenHost: host, logger: logger).router()
        if let connections {
            bound.withLock { $0 = port }
            onListening(port)
            return await AcceptedServer(
                router.buildResponder(), loop: MultiThreadedEventLoopGroup.singleton.any(), logger: quiet
            ).run(connections)
        }
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: "apus"),
            onServerRunning: { [self] channel in
                let port = channel.localAddress?.port ?? self.port
                bound.withLock { $0 = port }
                onListening(port)
            },
            // Hummingbird's server may let go of its promises after it has ended, when the lanes are gone.
            eventLoopGroupProvider: .shared(.singletonMultiThreadedEventLoopGroup),
            logger: quiet)
        try await application.run()
    }
}
