import Engine
import Events
import Manifests
import Synchronization
import Workers

/// Asking, in the client's stead, for the path of this host that a function has answered with (RFC 3875 §6.2.2).
extension GatewayShared {
    /// Redirects after one request. Programs that send it around in a circle get no further.
    private static let mostRedirects = 10

    /// Follows `reply` to the one that the client shall get.
    ///
    /// - Returns: with it, the invocation that gave it.
    func follow(
        _ reply: Reply, of invocation: InvocationID, to request: RequestHead, on lane: Lane
    ) async throws(Problem) -> (Reply, InvocationID) {
        var (reply, invocation) = (reply, invocation)
        for _ in 0..<Self.mostRedirects {
            guard let target = reply.redirect else { return (reply, invocation) }
            let (function, head) = try route(target, instead: request)
            invocation = InvocationID()
            reply = try await self.reply(to: head, of: function, invocation, on: lane)
        }
        guard let target = reply.redirect else { return (reply, invocation) }
        throw .endlessRedirect("The last of \(Self.mostRedirects) led to \(target).")
    }

    private func reply(
        to head: RequestHead, of function: String, _ id: InvocationID, on lane: Lane
    ) async throws(Problem) -> Reply {
        let running = Mutex<(request: (any RunningRequest)?, isCancelled: Bool)>((nil, false))
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let request = respond(head, .empty, function, id, lane) { continuation.resume(returning: $0) }
                let isCancelled = running.withLock { running in
                    running.request = request
                    return running.isCancelled
                }
                if isCancelled { request.cancel() }
            }
        } onCancel: {
            running.withLock { running in
                running.isCancelled = true
                return running.request
            }?.cancel()
        }
        return try result.get()
    }

    private func route(_ target: String, instead request: RequestHead) throws(Problem) -> (String, RequestHead) {
        guard let parts = RequestTarget(target), let path = RequestPath(parts.path[...]) else {
            throw .invalidRedirect("It led to \(target), which is not a valid path.")
        }
        switch routes.table.find("GET", path) {
        case .none: throw .notFound
        case .methods(let allowed): throw .methodNotAllowed(allowed)
        case .route(let route, _):
            // What described the body of the request went with it.
            let headers = request.headers.filter { !$0.name.lowercased().hasPrefix("content-") }
            let head = RequestHead(
                method: "GET", path: parts.path, query: parts.query,
                parameters: route.parameters(of: path), headers: headers, remoteAddress: request.remoteAddress)
            return (route.function, head)
        }
    }
}

extension Problem {
    fileprivate static func endlessRedirect(_ detail: String) -> Problem {
        Problem(
            status: 502, code: "endless-redirect", title: "The redirects of the function do not end", detail: detail)
    }

    fileprivate static func invalidRedirect(_ detail: String) -> Problem {
        Problem(status: 502, code: "invalid-redirect", title: "The function's redirect leads nowhere", detail: detail)
    }
}
