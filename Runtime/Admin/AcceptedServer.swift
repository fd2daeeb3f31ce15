import Events
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Workers

/// Serves connections that were accepted elsewhere, on a socket that listened before the host did: Hummingbird's own
/// server makes its socket itself.
struct AcceptedServer: Sendable {
    let channel: HTTP1Channel
    let loop: any EventLoop
    let logger: Logger
    private let open = OpenChannels()

    init(_ responder: some HTTPResponder<AdminRoutes.Context>, loop: any EventLoop, logger: Logger) {
        self.loop = loop
        self.logger = logger
        channel = HTTP1Channel(responder: { request, writer, channel in
            let context = AdminRoutes.Context(source: ApplicationRequestContextSource(channel: channel, logger: logger))
            var response = try await responder.respond(to: request, context: context)
            response.headers[.server] = "apus"
            try await writer.write(response: response.head, body: response.body)
        })
    }

    /// Serves until `connections` ends, then finishes what runs.
    func run(_ connections: AsyncStream<CInt>) async {
        await withDiscardingTaskGroup { group in
            for await descriptor in connections { group.addTask { await serve(descriptor) } }
            open.quiesce()
        }
    }

    private func serve(_ descriptor: CInt) async {
        do {
            let connection = try await ClientBootstrap(group: loop)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .withConnectedSocket(descriptor) { [channel, logger] in channel.setup(channel: $0, logger: logger) }
            open.add(connection.channel)
            await channel.handle(value: connection, logger: logger)
            open.remove(connection.channel)
        } catch {
            logger.debug("a connection to the admin API broke at once: \(error)")
        }
    }
}

/// Connections that are open, to tell them of the end.
private final class OpenChannels: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isQuiescing = false
    }

    private let state = Mutex(State())

    func add(_ channel: any Channel) {
        let isQuiescing = state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = channel
            return state.isQuiescing
        }
        if isQuiescing { Self.tell(channel) }
    }

    func remove(_ channel: any Channel) { state.withLock { $0.channels[ObjectIdentifier(channel)] = nil } }

    func quiesce() {
        let channels = state.withLock { state in
            state.isQuiescing = true
            return Array(state.channels.values)
        }
        for channel in channels { Self.tell(channel) }
    }

    private static func tell(_ channel: any Channel) {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}
