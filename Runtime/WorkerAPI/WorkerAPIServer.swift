import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
package import Workers

/// The HTTP API on loopback through which programs that do not speak `apus` reach state and messages.
package struct WorkerAPIServer: Sendable {
    /// More wait in the kernel's queue.
    private static let connections = 1024
    /// A connection that says nothing for so long makes room for others.
    private static let idle = TimeAmount.seconds(30)

    private let directory: AccessDirectory
    private let logger: Logger

    /// - Parameter directory: who may use it; told where it listens.
    package init(directory: AccessDirectory, logger: Logger) {
        self.directory = directory
        self.logger = logger
    }

    /// Serves while `body` runs: from before its first worker to after its last.
    ///
    /// - Throws: what `body` throws, or why it cannot listen.
    package func serving(_ body: () async throws -> Void) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let server = service { listening.yield($0) }
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                defer { listening.finish() }
                try await server.run()
            }
            var iterator = ports.makeAsyncIterator()
            // It ends before it listens when it cannot.
            guard let port = await iterator.next() else { return try await tasks.waitForAll() }
            directory.listens(on: port)
            try await body()
            await server.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private func service(onListening: @escaping @Sendable (Int) -> Void) -> ServiceGroup {
        var quiet = logger
        // Hummingbird says for each connection what this host says once, in its own words.
        quiet.logLevel = max(logger.logLevel, .warning)
        var configuration = ServiceGroupConfiguration(
            services: [application(logger: quiet, onListening: onListening)], logger: quiet)
        // The workers are gone by then; what is open still belongs to a stranger.
        configuration.maximumGracefulShutdownDuration = .seconds(1)
        return ServiceGroup(configuration: configuration)
    }

    private func application(
        logger quiet: Logger, onListening: @escaping @Sendable (Int) -> Void
    ) -> Application<APIResponder> {
        Application(
            responder: APIResponder(directory: directory, logger: logger),
            server: .http1(configuration: .init(idleTimeout: Self.idle)),
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: 0), serverName: "apus",
                availableConnectionsDelegate: MaximumAvailableConnections(Self.connections, logger: quiet)),
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { onListening(port) }
            },
            // Hummingbird's server may let go of its promises after it has ended, when the lanes are gone.
            eventLoopGroupProvider: .shared(.singletonMultiThreadedEventLoopGroup),
            logger: quiet)
    }
}
