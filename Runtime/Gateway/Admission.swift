package import Events
package import Manifests

/// What becomes of a request, decided from its head alone.
package enum Admission: Sendable {
    case call(AdmittedRequest)
    /// The gateway answers itself. `closes`: the rest of the connection cannot be trusted, or is not worth reading.
    indirect case answer(Problem, closes: Bool)
    /// `204` with `Allow`; `closes` as above.
    case options([String], closes: Bool)
}

/// A request on its way to a function.
package struct AdmittedRequest: Sendable {
    package let function: String
    package let head: RequestHead
    package let body: BodyPlan
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    package let expectsContinue: Bool
    package var action = Action.run

    package enum Action: Sendable {
        case run
        /// `trigger`: such as `orders/http/0`.
        indirect case queue(Deferral, trigger: String)
        /// Asks the host, and no function.
        indirect case ask(StatusRequest)
    }
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
    /// The client has said that this is the last that it sends, and it has come whole with its head.
    package var isFarewell = false
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
        isFarewell = !keepsAlive && !head.fields.isChunked && (head.fields.contentLength ?? 0) == 0
        takesTrailers = head.fields.acceptsTrailers && !head.isOld
    }
}

extension Admission {
    package init(
        _ head: ReceivedHead, router: RouteTable, limits: BodyLimits, remoteAddress: String
    ) {
        let closes = head.fields.expectsContinue
        if head.isPlain {
            let path = RequestPath(plain: head.target)
            self = Self.route(head, RequestTarget(path: head.target), path, router, limits, remoteAddress)
        } else if head.target == "*" {
            self =
                head.method == "OPTIONS"
                ? .options(Route.common, closes: closes) : .answer(.invalidPath, closes: closes)
        } else if let target = RequestTarget(head.target), let path = RequestPath(target.path[...]) {
            self =
                path.segments.first == RoutePattern.reserved
                ? Self.ask(head, target, path, limits, remoteAddress)
                : Self.route(head, target, path, router, limits, remoteAddress)
        } else {
            self = .answer(.invalidPath, closes: closes)
        }
    }

    /// What the host itself is asked.
    private static func ask(
        _ head: ReceivedHead, _ target: RequestTarget, _ path: RequestPath, _ limits: BodyLimits,
        _ remoteAddress: String
    ) -> Admission {
        switch StatusRequest.read(head.method, path) {
        case .refuse(let problem): return .answer(problem, closes: head.fields.expectsContinue)
        case .options(let methods): return .options(methods, closes: head.fields.expectsContinue)
        case .ask(let request):
            let requestHead = RequestHead(
                method: head.method, path: target.path, remoteAddress: remoteAddress)
            var admitted = AdmittedRequest(
                function: "", head: requestHead,
                body: head.fields.wholeBodyPlan(limit: Int64(limits.discarded)),
                expectsContinue: head.fields.expectsContinue && !head.isOld)
            admitted.action = .ask(request)
            return .call(admitted)
        }
    }

    private static func route(
        _ head: ReceivedHead, _ target: RequestTarget, _ path: RequestPath, _ router: RouteTable,
        _ limits: BodyLimits, _ remoteAddress: String
    ) -> Admission {
        switch router.find(head.method, path) {
        case .none: return .answer(.notFound, closes: head.fields.expectsContinue)
        case .methods(let allowed):
            let closes = head.fields.expectsContinue
            return head.method == "OPTIONS"
                ? .options(allowed, closes: closes) : .answer(.methodNotAllowed(allowed), closes: closes)
        case .route(let route, _):
            do throws(Problem) {
                return .call(try admit(head, target, path, to: route, limits, remoteAddress))
            } catch {
                // A body that was announced, and is not wanted, would come next.
                let closes = error.status == 413 || error.status == 417 || head.fields.expectsContinue
                return .answer(error, closes: closes)
            }
        }
    }

    private static func admit(
        _ head: ReceivedHead, _ target: RequestTarget, _ path: RequestPath, to route: Route,
        _ limits: BodyLimits, _ remoteAddress: String
    ) throws(Problem) -> AdmittedRequest {
        if head.fields.expectation == .unknown { throw .expectationFailed }
        let key = route.idempotency == .off ? nil : try IdempotencyKey(of: head.fields, to: head.method, at: route)
        // Most say nothing of it, and need no clock.
        let deferral = head.fields.deferral == nil ? nil : try Deferral(head.fields, now: .now())
        let isHeld = key != nil || deferral != nil
        let limit = isHeld ? min(route.bodyLimit, limits.held) : route.bodyLimit
        if let length = head.fields.contentLength, length > limit { throw .bodyTooLarge(limit: limit) }
        var body =
            isHeld
            ? head.fields.wholeBodyPlan(limit: limit)
            : head.fields.bodyPlan(limit: limit, collected: limits.collected)
        var headers = head.fields.forwarded
        if let authority = target.authority {
            headers.removeAll { $0.name.lowercased() == "host" }
            headers.append(HeaderField("Host", authority))
        }
        if route.isServer, !head.isOld, deferral == nil {
            if body == .none, head.method == "GET", head.fields.offersWebSocket { body = .upgrade }
            headers += head.fields.forServer(body)
        }
        let request = RequestHead(
            method: head.method, path: target.path, query: target.query,
            parameters: route.parameters(of: path), headers: headers, remoteAddress: remoteAddress, idempotency: key)
        var admitted = AdmittedRequest(
            function: route.function, head: request, body: body,
            expectsContinue: head.fields.expectsContinue && !head.isOld)
        if let deferral { admitted.action = .queue(deferral, trigger: route.trigger) }
        return admitted
    }
}

/// The request target (RFC 9112 §3.2) in origin form, or in absolute form. Every function is served under every name of the
/// machine.
struct RequestTarget {
    let path: String
    /// Raw, without the `?`.
    let query: String
    /// Of the absolute form, in which `Host` says nothing (RFC 9112 §3.2.2).
    let authority: String?

    init(path: String) {
        self.path = path
        query = ""
        authority = nil
    }

    init?(_ uri: String) {
        var rest = uri
        authority = Self.takeAuthority(&rest)
        guard authority != "" else { return nil }
        let (isValid, mark) = rest.withRawUTF8 { bytes in
            (
                bytes.first == UInt8(ascii: "/") && bytes.firstIndex(of: UInt8(ascii: "#"), from: 0) == nil,
                bytes.firstIndex(of: UInt8(ascii: "?"), from: 0)
            )
        }
        guard isValid else { return nil }
        if let mark {
            path = String(Substring(rest.utf8.prefix(mark)))
            query = String(Substring(rest.utf8.dropFirst(mark + 1)))
        } else {
            path = rest
            query = ""
        }
    }

    /// Leaves what comes behind the authority; `nil`, with nothing taken, where there is none.
    private static func takeAuthority(_ uri: inout String) -> String? {
        guard let scheme = ["http://", "https://"].first(where: { uri.lowercasedPrefix(is: $0) }) else { return nil }
        let rest = uri.utf8.dropFirst(scheme.utf8.count)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        let authority = String(Substring(rest[..<end]))
        let path = String(Substring(rest[end...]))
        uri = path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
        return authority
    }
}

extension String {
    /// Whether the text begins with `prefix`, which is lowercase, in any case.
    fileprivate func lowercasedPrefix(is prefix: String) -> Bool {
        utf8.count >= prefix.utf8.count
            && utf8.prefix(prefix.utf8.count).elementsEqual(prefix.utf8) { $0.asciiLowercased == $1 }
    }
}
