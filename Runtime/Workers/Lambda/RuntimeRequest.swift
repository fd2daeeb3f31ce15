/// What a runtime asks of the Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
package enum RuntimeRequest: Sendable, Equatable {
    /// `GET …/invocation/next`: the next event.
    case next
    /// `POST …/invocation/{id}/response`.
    case response(id: String)
    /// `POST …/invocation/{id}/error`.
    case error(id: String)
    /// `POST …/init/error`: it cannot start.
    case initError
    /// A path that is served, with another method.
    case wrongMethod
    case unknown

    private static let prefix = "/2018-06-01/runtime/"

    package init(method: String, uri: String) {
        let path = uri.prefix { $0 != "?" }
        guard path.hasPrefix(Self.prefix) else {
            self = .unknown
            return
        }
        let parts = path.dropFirst(Self.prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        switch (parts.first, parts.dropFirst().first, parts.dropFirst(2).first, parts.count) {
        case ("invocation", "next", nil, 2): self = method == "GET" ? .next : .wrongMethod
        case ("invocation", let id?, "response", 3): self = method == "POST" ? .response(id: String(id)) : .wrongMethod
        case ("invocation", let id?, "error", 3): self = method == "POST" ? .error(id: String(id)) : .wrongMethod
        case ("init", "error", nil, 2): self = method == "POST" ? .initError : .wrongMethod
        default: self = .unknown
        }
    }
}

/// Why a runtime's request is not taken.
package enum RuntimeRefusal: Sendable, Equatable {
    case unknownPath, wrongMethod
    /// It names an invocation that the worker does not have.
    case invalidID
    /// It comes at the wrong time.
    case invalidState
    case tooLarge

    package var status: Int {
        switch self {
        case .unknownPath: 404
        case .wrongMethod: 405
        case .invalidID: 400
        case .invalidState: 403
        case .tooLarge: 413
        }
    }

    /// In the shape of AWS's `ErrorResponse`.
    package var json: String {
        let (type, message) =
            switch self {
            case .unknownPath: ("NotFound", "the Runtime API 2018-06-01 has no such path")
            case .wrongMethod: ("MethodNotAllowed", "next is a GET, everything else a POST")
            case .invalidID: ("InvalidRequestID", "this is not the id of the invocation that the runtime was given")
            case .invalidState: ("InvalidStateTransition", "the runtime has said this already, or too late")
            case .tooLarge: ("RequestEntityTooLarge", "a response has at most \(RuntimePost.largest >> 20) MiB")
            }
        return #"{"errorMessage":"\#(message)","errorType":"\#(type)"}"# + "\n"
    }
}
