import Glibc
package import Logging
import NIOCore
import ServiceLifecycle

/// Accepts connections on a socket that listened before the host did, for another server than the gateway.
package final class PassedListener: Service {
    /// Accepted ones that wait to be taken; more are closed.
    private static let most = 64

    package let host: String
    package let port: Int
    /// Each descriptor is the taker's. Ends with the service.
    package let connections: AsyncStream<CInt>
    private let accepted: AsyncStream<CInt>.Continuation
    private let acceptor: Acceptor

    /// - Throws: when `descriptor` is no such socket.
    package init(_ descriptor: CInt, logger: Logger) throws(GatewayError) {
        let socket = try ListeningSocket(inherited: descriptor)
        host = socket.address.ipAddress ?? ""
        port = socket.address.port ?? 0
        acceptor = try Acceptor(socket, logger: logger)
        (connections, accepted) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.most))
    }

    package func run() async throws {
        acceptor.start { [accepted] descriptor in
            if case .enqueued = accepted.yield(descriptor) { return }
            close(descriptor)
        }
        // Cancelled, it ends as well.
        try? await gracefulShutdown()
        await acceptor.stop()
        accepted.finish()
    }
}
