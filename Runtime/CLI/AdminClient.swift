import Events
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Speaks to the admin API of a host: one connection a request.
struct AdminClient: Sendable {
    /// The methods of the admin API.
    enum Method: String {
        case get = "GET"
        case put = "PUT"
        case post = "POST"
        case delete = "DELETE"
    }

    typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    let address: AdminAddress

    /// Sends a request and returns the body of a 2xx answer.
    ///
    /// - Parameter statuses: of answers that are as good.
    /// - Throws: `Failure`, also for every other answer, with what its problem document says.
    func send(
        _ method: Method, _ target: Target, body: [UInt8] = [], type: String? = nil, accepting statuses: Set<UInt> = []
    ) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await exchange(method, target, body: body, type: type, accepting: statuses) { bytes += $0 }
        return bytes
    }

    func get<Document: Decodable>(_ type: Document.Type, _ target: Target) async throws -> Document {
        try decode(type, await send(.get, target))
    }

    func decode<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Failure(
                .software,
                """
                what answers on \(address) is not the admin API of this version of Apus; use the 'apus' that the host \
                runs, or name another host with --admin
                """)
        }
    }

    /// Calls `each` with every line of the answer as it comes.
    func lines(_ target: Target, _ each: ([UInt8]) -> Void) async throws {
        var rest: [UInt8] = []
        try await exchange(.get, target, body: [], type: nil) { bytes in
            rest += bytes
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                each(Array(rest[..<end]))
                rest.removeSubrange(...end)
            }
        }
    }

    private func exchange(
        _ method: Method, _ target: Target, body: [UInt8], type: String?, accepting statuses: Set<UInt> = [],
        _ receive: ([UInt8]) -> Void
    ) async throws {
        let connection = try await connect()
        do {
            try await connection.executeThenClose { inbound, outbound in
                // At once: a host that has seen the head of a GET may have answered and closed before the end.
                try await outbound.write(contentsOf: parts(method, target, body: body, type: type))
                try await read(inbound, accepting: statuses, receive)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.inputOutput, "the connection to the host on \(address) broke: \(error)")
        }
    }

    private func read(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, accepting statuses: Set<UInt>,
        _ receive: ([UInt8]) -> Void
    ) async throws {
        var status = HTTPResponseStatus.ok
        var isGood: Bool { status.isGood || statuses.contains(status.code) }
        var failure: [UInt8] = []
        for try await part in inbound {
            switch part {
            case .head(let head): status = head.status
            case .body(let buffer):
                let bytes = Array(buffer.readableBytesView)
                if isGood { receive(bytes) } else { failure += bytes }
            case .end:
                guard isGood else { throw Failure(status: status.code, document: failure, from: address) }
                return
            }
        }
        throw Failure(.inputOutput, "the host on \(address) closed the connection in the middle of its answer")
    }

    private func parts(_ method: Method, _ target: Target, body: [UInt8], type: String?) -> [HTTPClientRequestPart] {
        let head = HTTPClientRequestPart.head(head(method, target, length: body.count, type: type))
        return [head] + (body.isEmpty ? [] : [.body(.byteBuffer(ByteBuffer(bytes: body)))]) + [.end(nil)]
    }

    private func head(_ method: Method, _ target: Target, length: Int, type: String?) -> HTTPRequestHead {
        var headers: HTTPHeaders = [
            "Host": address.description, "Connection": "close", "Content-Length": String(length),
            "User-Agent": "apus",
        ]
        if let type { headers.add(name: "Content-Type", value: type) }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method.rawValue), uri: target.description, headers: headers)
    }

    private func connect() async throws -> Connection {
        do {
            return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(5))
                .connect(host: address.host, port: address.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Failure(
                .unavailable,
                "no host answers on \(address); start one with 'apus serve', or name another with --admin")
        }
    }
}

extension HTTPResponseStatus {
    fileprivate var isGood: Bool { (200..<300).contains(code) }
}

extension Failure {
    /// Problems of the gateway, which listens where functions are served; the admin API has none of these.
    private static let gatewayCodes: Set<String> = ["no-route", "method-not-allowed"]

    /// What a problem document of the admin API means for the command line.
    ///
    /// - Parameter address: what answers there need not be the admin API.
    init(status: UInt, document: [UInt8], from address: AdminAddress) {
        struct Document: Decodable {
            var type: String
            var title: String
            var detail: String?
            var invocation: String?

            var code: String? {
                let prefix = "urn:apus:problem:"
                return type.hasPrefix(prefix) ? String(type.dropFirst(prefix.count)) : nil
            }
        }
        let problem = try? JSONDecoder().decode(Document.self, from: Data(document))
        guard let problem, let code = problem.code, !Self.gatewayCodes.contains(code) else {
            self.init(
                .unavailable,
                """
                what answers on \(address) (with HTTP status \(status)) is not the admin API of a host; with --admin \
                or APUS_ADMIN, give the address that 'apus serve' has for it, by default \(AdminAddress.standard)
                """)
            return
        }
        var text = problem.title + (problem.detail.map { ": " + $0 } ?? "")
        if let invocation = problem.invocation { text += " (invocation \(invocation))" }
        self.init(Status(code: code, status: status), text)
    }
}

extension Failure.Status {
    /// - Parameters:
    ///   - code: of the problem; tells a function's failure from the host's, which may have the same status.
    ///   - status: of HTTP.
    fileprivate init(code: String, status: UInt) {
        switch code {
        case "handler-failed", "timed-out", "worker-died", "contract-broken", "effects-refused": self = .failed
        case "conflicted", "cancelled": self = .temporary
        case "storage-full": self = .cannotCreate
        default:
            switch status {
            case 404: self = .noInput
            case 400..<500: self = .data
            case 503: self = .temporary
            default: self = .software
            }
        }
    }
}

/// A path with a query, built from parts that may hold anything.
struct Target: CustomStringConvertible, Equatable {
    private(set) var description: String

    init(_ segments: String...) { self.init(segments) }

    init(_ segments: [String]) { description = segments.map { "/" + Self.encoded($0) }.joined() }

    /// Adds a query parameter unless `value` is `nil`.
    func with(_ name: String, _ value: String?) -> Target {
        guard let value else { return self }
        var result = self
        result.description += (description.contains("?") ? "&" : "?") + name + "=" + Self.encoded(value)
        return result
    }

    /// Everything but the unreserved characters (RFC 3986 §2.3) as `%XX`.
    private static func encoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
    }
}
