import Events
import NIOCore
import NIOHTTP1

extension ResponseHead {
    /// What a server's response says to the client, not to the host.
    init(_ head: HTTPResponseHead) {
        let fields = head.headers.fields
        let options = HopByHop.options(in: fields)
        self.init(
            status: Int(head.status.code),
            headers: fields.filter {
                let name = $0.name.lowercased()
                return !HopByHop.names.contains(name) && !options.contains(name)
            })
    }

    /// Of a 101, which names the new protocol.
    init(upgrade head: HTTPResponseHead) {
        self.init(head)
        headers.append(HeaderField("Upgrade", "websocket"))
    }
}

extension HTTPResponseHead {
    /// For how long the server keeps the connection, by its `Keep-Alive: timeout=5`.
    var keepAliveTimeout: Duration? {
        guard let value = headers.first(name: "Keep-Alive") else { return nil }
        for parameter in value.split(separator: ",") {
            let words = parameter.split(separator: "=").map { $0.filter { $0 != " " && $0 != "\"" } }
            if words.count == 2, words[0].lowercased() == "timeout", let seconds = UInt32(words[1]) {
                return .seconds(Int64(seconds))
            }
        }
        return nil
    }
}

extension HeaderField {
    /// Fields that must not come as trailers, since whoever reads them has acted already (RFC 9110 §6.5.1).
    private static let notTrailers: Set<String> = HopByHop.names.union([
        "content-length", "content-encoding", "content-type", "content-range", "host", "trailer", "set-cookie",
        "authorization", "cache-control", "date", "location", "retry-after", "vary", "expect", "apus-invocation",
    ])

    var canBeTrailer: Bool { isSendable && !Self.notTrailers.contains(name.lowercased()) }
}
