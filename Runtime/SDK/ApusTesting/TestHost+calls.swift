public import Apus
import Wire

extension TestHost {
    /// Sends a request; returns the response, its whole body included. Throws `CallFailed` where a client would get an
    /// error of the host.
    ///
    /// - Parameters:
    ///   - target: the path, with a query after `?` if there is one.
    ///   - parameters: what the manifest's route would give.
    ///   - chunks: the body, in the pieces in which it arrives.
    public func send(
        _ method: String, _ target: String, parameters: [String: String] = [:], headers: HTTPHeaders = [:],
        chunks: [[UInt8]]
    ) async throws -> TestResponse {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let request = WireRequest(
            method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "",
            remoteAddress: "127.0.0.1:49152", parameters: parameters.map { WireField($0.key, $0.value) },
            headers: headers.fields)
        let response = try await call(received(.request(ReceivedRequest(request))), body: chunks)
        guard let response else { throw CallFailed(.failed, "the handler acknowledged a request") }
        return response
    }

    /// Sends a request with a body of text.
    public func send(
        _ method: String, _ target: String, parameters: [String: String] = [:], headers: HTTPHeaders = [:],
        body: String = ""
    ) async throws -> TestResponse {
        try await send(method, target, parameters: parameters, headers: headers, chunks: [[UInt8](body.utf8)])
    }

    /// Sends a `GET`.
    public func get(
        _ target: String, parameters: [String: String] = [:], headers: HTTPHeaders = [:]
    ) async throws -> TestResponse {
        try await send("GET", target, parameters: parameters, headers: headers)
    }

    /// Sends a `POST` with a body of text.
    public func post(
        _ target: String, parameters: [String: String] = [:], headers: HTTPHeaders = [:], body: String
    ) async throws -> TestResponse {
        try await send("POST", target, parameters: parameters, headers: headers, body: body)
    }

    /// Lets a timer be due. Throws `CallFailed` where the host would retry.
    ///
    /// - Parameter due: RFC 3339 in UTC.
    public func fire(due: String = "2026-01-01T00:00:00.000Z", attempt: Int = 1) async throws {
        let attributes = [
            WireField("id", "timer@\(due)"), WireField("source", "/timers/test/0"),
            WireField("type", "apus.timer.due"), WireField("time", due),
        ]
        _ = try await call(event(.timer, attempt: attempt, attributes))
    }

    /// Delivers a change of a file. Throws `CallFailed` where the host would retry.
    ///
    /// - Parameters:
    ///   - name: relative to the watched folder.
    ///   - folder: absolute path of the watched folder.
    ///   - previous: where a moved file was before, relative to the watched folder.
    public func deliver(
        _ change: FileEvent.Change, _ name: String, in folder: String, previous: String? = nil, attempt: Int = 1
    ) async throws {
        var attributes = [
            WireField("id", "\(change)-\(name)"), WireField("source", "/files/test/0"),
            WireField("type", "apus.file.\(change.rawValue)"), WireField("path", "\(folder)/\(name)"),
            WireField("name", name), WireField("watch", folder), WireField("subject", name),
            WireField("time", "2026-01-01T00:00:00.000Z"),
        ]
        if let previous {
            attributes += [WireField("oldpath", "\(folder)/\(previous)"), WireField("oldname", previous)]
        }
        _ = try await call(event(.file, attempt: attempt, attributes))
    }

    func event(_ kind: CallHead.Kind, attempt: Int, _ attributes: [WireField]) -> ReceivedCall {
        received(.event(kind, attributes), attempt: attempt)
    }

    private func received(_ content: ReceivedCall.Content, attempt: Int = 1) -> ReceivedCall {
        ReceivedCall(invocation: WireID(high: 0, low: 0), attempt: UInt32(clamping: attempt), time: 0, content)
    }
}

/// A response with its whole body.
public struct TestResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body, to its end.
    public var body: [UInt8]

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    init(_ response: HTTPResponse, _ body: [UInt8]) {
        status = response.status
        headers = response.headers
        self.body = body
    }
}
