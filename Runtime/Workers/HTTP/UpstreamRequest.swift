import Events
import NIOCore
import NIOHTTP1

/// What a worker's server is sent for a call.
struct UpstreamRequest: Sendable {
    let head: HTTPRequestHead
    let body: Body
    /// What the call waits for.
    let expectation: ExchangeState.Expectation
    /// Whether it may be sent a second time when nothing tells whether the first has been handled (RFC 9110 §9.2.2). An
    /// event may: it is delivered at least once anyway.
    let isReplayable: Bool

    /// - Parameter path: where the server takes events.
    init(_ call: Call, path: String) {
        let id = HeaderField("Apus-Invocation", call.invocation.id.description)
        switch call.invocation.cause {
        case .request(let request): self.init(request, call.body, id: id)
        case .event(_, let event): self.init(event, id: id, path: path)
        }
    }

    /// Asks whether the server is ready.
    init(health path: String) {
        let fields = [HeaderField("Host", Self.host), HeaderField("User-Agent", Self.agent)]
        head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: HTTPHeaders(fields))
        (body, expectation, isReplayable) = (.empty, .response(upgrade: false), false)
    }

    private init(_ request: RequestHead, _ body: Body, id: HeaderField) {
        // Only the gateway can go on with another protocol, and says so by the stream.
        var upgrades = false
        if case .stream = body { upgrades = request.asksForWebSocket }
        var fields = [HeaderField("Host", request.headers.first("Host") ?? Self.host), id]
        let forwarded = ForwardedFields(
            remote: request.remoteAddress, host: request.headers.first("Host"), given: request.headers)
        fields += Self.endToEnd(request.headers, forwarded)
        fields += forwarded.fields
        if request.acceptsTrailers { fields.append(HeaderField("TE", "trailers")) }
        if upgrades {
            fields += [HeaderField("Upgrade", "websocket"), HeaderField("Connection", "Upgrade")]
        } else {
            if request.acceptsTrailers { fields.append(HeaderField("Connection", "TE")) }
            fields += Self.framing(of: body, request)
        }
        let uri = Self.printable(request.query.isEmpty ? request.path : request.path + "?" + request.query)
        head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: uri, headers: HTTPHeaders(fields))
        self.body = body
        expectation = .response(upgrade: upgrades)
        if case .bytes = body {
            isReplayable = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].contains(request.method)
        } else {
            isReplayable = false
        }
    }

    private init(_ event: Event, id: HeaderField, path: String) {
        let event = CloudEventHTTP(event)
        let fields =
            [HeaderField("Host", Self.host), HeaderField("User-Agent", Self.agent), id]
            + event.fields.filter(\.isSendable)
            + [HeaderField("Content-Length", String(event.body.count))]
        head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: HTTPHeaders(fields))
        body = .bytes(ByteBuffer(bytes: event.body))
        (expectation, isReplayable) = (.acknowledgement, true)
    }

    private static let agent = "Apus"
    /// Of requests that name none.
    private static let host = "localhost"

    /// What the client has said to the function, not to the host: without the fields of the connection (RFC 9110 §7.6.1)
    /// and without those that the host sets.
    private static func endToEnd(_ fields: [HeaderField], _ forwarded: ForwardedFields) -> [HeaderField] {
        let options = HopByHop.options(in: fields)
        return fields.filter { field in
            let name = field.name.lowercased()
            return field.isSendable && !HopByHop.names.contains(name) && !options.contains(name)
                && !["host", "expect", "content-length", "apus-invocation", "apus_invocation"].contains(name)
                && forwarded.passes(name)
        }
    }

    /// How the end of the body is marked (RFC 9112 §6).
    private static func framing(of body: Body, _ request: RequestHead) -> [HeaderField] {
        switch body {
        case .bytes(let bytes):
            // A method that usually has a body says so when it has none.
            let says = bytes.readableBytes > 0 || ["POST", "PUT", "PATCH"].contains(request.method)
            return says ? [HeaderField("Content-Length", String(bytes.readableBytes))] : []
        case .stream:
            if let length = request.headers.first("Content-Length"), let count = Int64(length), count >= 0 {
                return [HeaderField("Content-Length", String(count))]
            }
            return [HeaderField("Transfer-Encoding", "chunked")]
        }
    }

    /// Percent-encodes what would end the request line, which no client of the gateway can send.
    private static func printable(_ target: String) -> String {
        if target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) { return target }
        return target.utf8.reduce(into: "") { text, byte in
            if (0x21...0x7E).contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
            }
        }
    }
}

/// The fields that concern one connection alone (RFC 9110 §7.6.1).
enum HopByHop {
    static let names: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade",
    ]

    /// What `Connection` names, in lowercase.
    static func options(in fields: [HeaderField]) -> Set<String> {
        var options: Set<String> = []
        for field in fields where field.name.lowercased() == "connection" {
            for option in field.value.split(separator: ",") {
                options.insert(option.lowercased().filter { $0 != " " && $0 != "\t" })
            }
        }
        return options
    }
}

extension RequestHead {
    /// The gateway leaves `Upgrade` in only where the connection allows it. Other protocols than WebSocket (RFC 6455
    /// §4.1) are not spoken with a server here: h2c could carry requests past the host.
    fileprivate var asksForWebSocket: Bool { method == "GET" && headers.first("Upgrade")?.lowercased() == "websocket" }

    fileprivate var acceptsTrailers: Bool {
        headers.first("TE")?.lowercased().split(separator: ",").contains { $0.filter { $0 != " " } == "trailers" }
            ?? false
    }
}

extension HTTPHeaders {
    init(_ fields: [HeaderField]) { self.init(fields.map { ($0.name, $0.value) }) }

    var fields: [HeaderField] { map { HeaderField($0.name, $0.value) } }
}
