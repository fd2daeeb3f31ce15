package import Events

/// An error in the shape of AWS's Lambda API (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
package struct AWSError: Error, Sendable, Hashable {
    package let status: Int
    /// Such as `ResourceNotFoundException`; becomes the header `x-amzn-ErrorType`.
    package let type: String
    package let message: String

    package init(_ status: Int, _ type: String, _ message: String) {
        self.status = status
        self.type = type
        self.message = message
    }

    package var json: [UInt8] {
        JSONWriter.line { json in
            json.field("Type", status < 500 ? "User" : "Service")
            json.field("Message", message)
        }
    }

    static func invalid(_ message: String) -> AWSError { AWSError(400, "InvalidParameterValueException", message) }
}

/// What AWS makes of an invocation that did not succeed: an error of the function is an answer, with the function's words
/// or words for it, and everything else is an error of the service, which clients try again.
package enum AWSFailure: Sendable, Hashable {
    case functionError(payload: [UInt8])
    case serviceError(AWSError)

    package init(_ problem: Problem) {
        if let payload = problem.functionError {
            self = .functionError(payload: payload)
            return
        }
        let text = problem.detail ?? problem.title
        switch problem.code {
        case "timed-out": self = Self.function("Sandbox.Timedout", text)
        case "worker-died": self = Self.function("Runtime.ExitError", text)
        case "contract-broken": self = Self.function("Runtime.InvalidResponse", text)
        case "start-failed": self = Self.function("Runtime.InitError", text)
        case "handler-failed", "effects-refused", "too-large": self = Self.function("Unhandled", text)
        case "too-many-waiting", "waited-too-long":
            self = .serviceError(AWSError(429, "TooManyRequestsException", text))
        default: self = .serviceError(AWSError(max(500, problem.status), "ServiceException", text))
        }
    }

    private static func function(_ type: String, _ message: String) -> AWSFailure {
        .functionError(
            payload: JSONWriter.object { json in
                json.field("errorType", type)
                json.field("errorMessage", message)
            })
    }
}
