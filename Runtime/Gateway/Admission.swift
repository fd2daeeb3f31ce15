package import Events
package import Manifests

/// What becomes of a request, decided from its head alone.
package enum Admission: Sendable {
    case call(AdmittedRequest)
    /// The gateway answers itself. `closes`: the rest of the connection cannot be trusted, or is not worth reading.
    case answer(Problem, closes: Bool)
    /// `204` with `Allow`.
    case options([String])
}

/// A request on its way to a function.
package struct AdmittedRequest: Sendable {
    package let function: String
    package let head: RequestHead
    package let body: BodyPlan
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    package let expectsContinue: Bool
}

package enum BodyPlan: Sendable, Hashable {
    case none
    /// Read it whole, then call; refuse more than `limit` bytes.
    case collect(limit: Int64)
    /// Call at once; refuse more than `limit` bytes.
    case stream(limit: Int64)
    /// None; but the client offers to go on with WebSocket, and the function can.
    case upgrade
}

/// How a response must be framed for the request that it answers.
package struct ResponseContext: Sendable, Hashable {
    /// HTTP/1.0: no chunks, no interim responses.
    package var isOld: Bool
    package var isHead: Bool
    /// Whether the client wants, and the gateway allows, another request on the connection.
    package var keepsAlive: Bool
    package var takesTrailers = false
    /// 101 may be the answer.
    package var mayUpgrade = false

    package init(isOld: Bool = false, isHead: Bool = false, keepsAlive: Bool = true) {
        self.isOld = isOld
        self.isHead = isHead
        self.keepsAlive = keepsAlive
    }

    package init(_ head: ReceivedHead) {
        isOld = head.isOld
        isHead = head.method == "HEAD"
        keepsAlive = head.fields.keepsAlive(isOld: head.isOld)
        takesTrailers = head.fields.acceptsTrailers && !head.isOld
    }
}

extension Admission {
    package init(
        _ head: ReceivedHead, router: RouteTable, configuration: GatewayConfiguration, remoteAddress: String
    ) {
        if head.target == "*" {
            self = head.method == "OPTIONS" ? .options(Route.common) : .answer(.invalidPath, closes: false)
        } else if let target = RequestTarget(head.target), let path = RequestPath(target.path) {
            self = Self.route(head, target, path, router, configuration, remoteAddress)
        } else {
            self = .answer(.invalidPath, closes: false)
        }
    }

    private static func route(
        _ head: ReceivedHead, _ target: RequestTarget, _ path: RequestPath, _ router: RouteTable,
        _ configuration: GatewayConfiguration, _ remoteAddress: String
    ) -> Admission {
        let (method, fields) = (head.method, head.fields)
        switch router.find(method, path) {
        case .none: return .answer(.notFound, closes: fields.expectsContinue)
        case .methods(let allowed):
            return method == "OPTIONS"
                ? .options(allowed) : .answer(.methodNotAllowed(allowed), closes: fields.expectsContinue)
        case .route(let route, _):
            if fields.expectation == .unknown { return .answer(.expectationFailed, closes: true) }
            if let length = fields.contentLength, length > route.bodyLimit {
                return .answer(.bodyTooLarge(limit: route.bodyLimit), closes: true)
            }
            let key: IdempotencyKey?
            do throws(Problem) {
                key = route.idempotency == .off ? nil : try IdempotencyKey(of: fields, to: method, at: route)
            } catch {
                return .answer(error, closes: fields.expectsContinue)
            }
            var body =
                key == nil
                ? fields.bodyPlan(limit: route.bodyLimit, collected: configuration.collectedBody)
                : fields.wholeBodyPlan(limit: route.bodyLimit)
            if route.isServer, body == .none, method == "GET", fields.offersWebSocket, !head.isOld { body = .upgrade }
            var headers = fields.forwarded
            if route.isServer, !head.isOld { headers += fields.forServer(body) }
            let request = RequestHead(
                method: method, path: String(target.path), query: String(target.query),
                parameters: route.parameters(of: path), headers: headers, remoteAddress: remoteAddress,
                idempotency: key)
            return .call(
                AdmittedRequest(
                    function: route.function, head: request, body: body,
                    expectsContinue: fields.expectsContinue && !head.isOld))
        }
    }
}

/// The request target (RFC 9112 §3.2) in origin form, or in absolute form, whose authority counts as little as `Host`:
/// every function is served under every name of the machine.
struct RequestTarget {
    let path: Substring
    /// Raw, without the `?`.
    let query: Substring

    init?(_ uri: String) {
        var rest = uri[...]
        if uri.utf8.first != UInt8(ascii: "/") { rest = Self.withoutAuthority(uri) }
        guard rest.utf8.first == UInt8(ascii: "/"), !rest.utf8.contains(UInt8(ascii: "#")) else { return nil }
        if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
            path = rest[..<mark]
            query = rest[rest.utf8.index(after: mark)...]
        } else {
            path = rest
            query = ""
        }
    }

    private static func withoutAuthority(_ uri: String) -> Substring {
        var rest = uri[...]
        for scheme in ["http://", "https://"] where uri.lowercasedPrefix(is: scheme) {
            rest = rest.dropFirst(scheme.count)
            rest = rest.firstIndex { $0 == "/" || $0 == "?" }.map { rest[$0...] } ?? "/"
            if rest.first == "?" { rest = "/" + rest }
        }
        return rest
    }
}

extension String {
    /// Whether the text begins with `prefix`, which is lowercase, in any case.
    fileprivate func lowercasedPrefix(is prefix: String) -> Bool {
        utf8.count >= prefix.utf8.count
            && utf8.prefix(prefix.utf8.count).elementsEqual(prefix.utf8) { $0.asciiLowercased == $1 }
    }
}
