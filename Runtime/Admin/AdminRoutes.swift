import Engine
import Events
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import Manifests
import NIOCore

/// The resources of the admin API; each kind has a file of its own.
struct AdminRoutes: Sendable {
    typealias Context = BasicRequestContext

    let services: AdminServices
    let listenHost: String
    let logger: Logger

    var engine: InvocationEngine { services.engine }

    func router() -> Router<Context> {
        let router = Router(context: Context.self)
        router.add(middleware: ProblemMiddleware(hostGuard: HostGuard(listenHost: listenHost), logger: logger))
        router.get("/healthz") { _, _ in Response.text("ok\n") }
        router.get("/readyz") { _, _ in try await readiness() }
        router.get("/v1/openapi.json") { _, _ in Response.json(text: OpenAPI.document) }
        router.post("/v1/reload") { _, _ in try await reload() }
        router.get("/v1/logs") { request, _ in try await logs(request) }
        addFunctionRoutes(to: router)
        addStateRoutes(to: router)
        addInvokeRoutes(to: router)
        addInvocationRoutes(to: router)
        addDeadRoutes(to: router)
        return router
    }

    /// A part of the path, percent-decoded.
    func parameter(_ name: String, _ context: Context) throws -> String {
        let text = try context.parameters.require(name)
        guard let decoded = RequestPath.decode(Substring(text), refusingNull: true) else {
            throw Problem.badRequest("the \(name) in the path is not percent-encoded UTF-8")
        }
        return decoded
    }

    private func readiness() async throws -> Response {
        let checks = await services.readiness()
        let ready = checks.allSatisfy { $0.problem == nil }
        return try .json(
            ReadinessDocument(ready: ready, checks: checks), status: ready ? .ok : .serviceUnavailable)
    }

    private func reload() async throws -> Response {
        let document = await services.reload()
        return try .json(document, status: document.reloaded ? .ok : .unprocessableContent)
    }
}

extension Request {
    /// The value of a query parameter, percent-decoded, `+` as a space.
    func query(_ name: String) throws(Problem) -> String? {
        for pair in (uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0] == name else { continue }
            let value = parts.count > 1 ? parts[1].map { $0 == "+" ? " " : String($0) }.joined() : ""
            guard let decoded = value.percentDecoded else {
                throw .badRequest("the query parameter '\(name)' is not percent-encoded UTF-8")
            }
            return decoded
        }
        return nil
    }

    /// A count between 0 and `most`; more than that is cut to it.
    func limit(default standard: Int, most: Int) throws(Problem) -> Int {
        guard let text = try query("limit") else { return standard }
        guard let limit = Int(text), limit >= 0 else { throw .badRequest("'limit' is not a count: \(text)") }
        return min(limit, most)
    }
}

extension Response {
    static func text(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ document: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return json(text: String(decoding: try encoder.encode(document), as: UTF8.self) + "\n", status: status)
    }
}
