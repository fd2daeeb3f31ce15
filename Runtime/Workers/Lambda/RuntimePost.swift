package import Events
import FoundationEssentials
package import NIOCore
package import NIOHTTP1

/// What a runtime has posted: a response, or an error.
package struct RuntimePost: Sendable {
    /// Bytes of a buffered response or of an error.
    package static let largest = 64 << 20
    package static let errorType = "Lambda-Runtime-Function-Error-Type"
    private static let errorBody = "Lambda-Runtime-Function-Error-Body"

    package let kind: RuntimeState.Reception
    package let headers: HTTPHeaders
    package var body = ByteBuffer()

    package init(_ kind: RuntimeState.Reception, headers: HTTPHeaders) {
        self.kind = kind
        self.headers = headers
    }

    package var isStreamed: Bool {
        headers.first(name: "Lambda-Runtime-Function-Response-Mode")?.lowercased() == "streaming"
    }

    /// The error that this tells of.
    package var error: FunctionError {
        FunctionError(type: headers.first(name: Self.errorType), payload: Array(body.readableBytesView))
    }

    /// The error that the trailers of a response tell of, whose body travels in base64; `nil` when it is complete.
    package static func error(in trailers: HTTPHeaders?) -> FunctionError? {
        guard let trailers, let type = trailers.first(name: errorType) else { return nil }
        let payload = trailers.first(name: errorBody).flatMap { Data(base64Encoded: $0) } ?? Data()
        return FunctionError(type: type, payload: Array(payload))
    }
}

extension FunctionError {
    /// The type in the payload is the function's own; the one in a header may only say `Unhandled`.
    package convenience init(type: String?, payload: [UInt8]) {
        let document = try? JSONDecoder().decode(Document.self, from: Data(payload))
        let own = document?.errorType.flatMap { $0.isEmpty ? nil : $0 }
        self.init(type: own ?? type ?? "Unhandled", message: document?.errorMessage ?? "", payload: payload)
    }

    private struct Document: Decodable {
        var errorType: String?
        var errorMessage: String?
    }
}
