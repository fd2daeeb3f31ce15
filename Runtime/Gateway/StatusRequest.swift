package import Events
package import Manifests

/// A request to the host itself, about one that was queued. Whoever knows an invocation's random id may ask.
package struct StatusRequest: Sendable, Hashable {
    package enum Action: Sendable {
        /// `GET /_apus/invocations/{id}`
        case status
        /// `GET /_apus/invocations/{id}/result`
        case result
        /// `DELETE /_apus/invocations/{id}`
        case cancel
    }

    package var id: InvocationID
    package var action: Action

    /// What becomes of a request to a path below `/_apus`.
    package enum Reading: Sendable {
        case ask(StatusRequest)
        case options([String])
        case refuse(Problem)
    }

    package static func read(_ method: String, _ path: RequestPath) -> Reading {
        let segments = path.segments.dropFirst()
        guard segments.first == "invocations", segments.count == 2 || segments.count == 3,
            let id = InvocationID(segments[2]), segments.count == 2 || segments[3] == "result"
        else { return .refuse(.notFound) }
        let hasResult = segments.count == 3
        let allowed = (hasResult ? [] : ["DELETE"]) + ["GET", "HEAD", "OPTIONS"]
        switch method {
        case "GET", "HEAD": return .ask(StatusRequest(id: id, action: hasResult ? .result : .status))
        case "DELETE" where !hasResult: return .ask(StatusRequest(id: id, action: .cancel))
        case "OPTIONS": return .options(allowed)
        default: return .refuse(.methodNotAllowed(allowed))
        }
    }

    /// Where an invocation can be asked for.
    static func path(of id: InvocationID) -> String {
        String(unsafeUninitializedCapacity: invocations.count + InvocationID.length) { buffer in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            bytes.copyBytes(from: invocations)
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[invocations.count...])
            return invocations.count + id.write(to: rest)
        }
    }

    private static let invocations = Array("/\(RoutePattern.reserved)/invocations/".utf8)
}
