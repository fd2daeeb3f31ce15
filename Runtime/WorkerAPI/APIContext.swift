import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1

/// What a request to the API comes with.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// Says that the body may come, where the client waits for that (RFC 9110 §10.1.1): curl waits for a second before it
    /// sends what it reads from a pipe. Hummingbird answers no expectations.
    func invite(bodyOf request: Request) async throws {
        guard request.headers[.expect]?.lowercased() == "100-continue" else { return }
        try await channel.eventLoop.submit { [channel] in
            // From here on out the bytes go as they are; the answer proper takes the usual way after them.
            let encoder = try channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            encoder.writeAndFlush(NIOAny(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
        }.get()
    }
}
