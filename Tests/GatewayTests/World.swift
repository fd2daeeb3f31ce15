import Engine
import Events
import Gateway
import Logging
import Manifests
import NIOCore
import NIOPosix
import Workers

/// A gateway on a free port, and a way to it.
struct World: Sendable {
    let gateway: HTTPGateway
    let port: Int

    func client(receiveBuffer: CInt? = nil) throws -> Client { try Client(port: port, receiveBuffer: receiveBuffer) }

    /// Sends `request` on a connection of its own.
    func answer(_ request: String, toHead: Bool = false) async throws -> Client.Response {
        let client = try client()
        try await client.send(request)
        return try await client.receive(toHead: toHead)
    }
}

/// Gives the reply to a request, and is cancelled when nobody waits for it.
typealias Responder =
    @Sendable (RequestHead, Body, _ function: String, InvocationID, Lane) async throws(Problem) -> Reply

/// Runs `body` with a gateway whose functions are `manifests` and are run by `respond`.
func withGateway<Result>(
    _ manifests: [Manifest] = standard, configure: (inout GatewayConfiguration) -> Void = { _ in },
    lanes: Int = 2, respond: @escaping Responder = echo, queue: RequestQueue = .refusing,
    _ body: (World) async throws -> Result
) async throws -> Result {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: lanes)
    var configuration = GatewayConfiguration()
    configuration.port = 0
    // Only a test that is about a time-out waits for one: on a busy machine a client may be slow.
    (configuration.headerTime, configuration.idleTime) = (.seconds(600), .seconds(600))
    (configuration.bodyTime, configuration.writeTime) = (.seconds(600), .seconds(600))
    configure(&configuration)
    let lanes = group.makeIterator().map { Lane(loop: $0) }
    let gateway = HTTPGateway(
        configuration: configuration, lanes: lanes,
        respond: { head, body, function, id, lane, end in
            Task.immediate(executorPreference: lane, end: end) { () async throws(Problem) in
                try await respond(head, body, function, id, lane)
            }
        }, queue: queue, logger: Logger(label: "gateway"))
    gateway.update(manifests)
    try await gateway.bind()
    do {
        let result = try await body(World(gateway: gateway, port: gateway.boundAddress?.port ?? 0))
        await gateway.drain(within: .zero)
        try await group.shutdownGracefully()
        return result
    } catch {
        await gateway.drain(within: .zero)
        try? await group.shutdownGracefully()
        throw error
    }
}

/// A function `echo` that takes up to 20 MiB at `/echo/{path*}`, and `hello` with `GET /hello/{name?}`.
let standard: [Manifest] = {
    var echo = manifest("echo", "/echo/{path*}")
    echo.limits.body = 20 << 20
    return [echo, manifest("hello", "/hello/{name?}", ["GET"]), manifest("small", "/small", body: 10)]
}()

func manifest(_ name: String, _ path: String, _ methods: [String] = [], body: Int64 = 6 << 20) -> Manifest {
    var manifest = Manifest(
        name: name, handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
        triggers: [.http(HTTPTrigger(path: pattern(path), methods: methods))])
    manifest.limits.body = body
    return manifest
}

/// The pattern that `text` says, without the checks that manifests make.
func pattern(_ text: String) -> RoutePattern {
    if text == "/" { return RoutePattern(segments: [], description: text) }
    let segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
        guard part.hasPrefix("{") else { return RoutePattern.Segment.literal(String(part)) }
        let name = part.dropFirst().dropLast()
        if name.hasSuffix("?") { return .optional(String(name.dropLast())) }
        return name.hasSuffix("*") ? .rest(String(name.dropLast())) : .parameter(String(name))
    }
    return RoutePattern(segments: segments, description: text)
}

/// Answers with what it got: the body, and the method and parameters as header fields.
let echo: Responder = { head, body, function, _, _ async throws(Problem) in
    let parameters = head.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    let headers = [
        HeaderField("Content-Type", "text/plain"), HeaderField("Function", function),
        HeaderField("Method", head.method), HeaderField("Parameters", parameters), HeaderField("Query", head.query),
    ]
    return Reply(head: ResponseHead(status: 200, headers: headers), body: body)
}

extension RequestQueue {
    /// Accepts nothing, and knows nothing.
    static let refusing = RequestQueue(
        accept: { _, _, lane, end in
            Task.immediate(executorPreference: lane, end: end) { () async throws(Problem) in throw refusal }
        },
        status: { _, _, _ async throws(Problem) in throw refusal },
        cancel: { _ async throws(Problem) in throw refusal })

    private static let refusal = Problem(status: 503, code: "queue-full", title: "No room", retryAfter: 5)
}
