import Events
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Workers

/// Answers requests of workers: whose it is, for which call, and what came of it.
struct APIResponder: HTTPResponder {
    typealias Context = APIContext

    /// As for handlers of every contract.
    private static let mostBytes = 1 << 20

    let directory: AccessDirectory
    let logger: Logger

    func respond(to request: Request, context: Context) async throws -> Response {
        do {
            return try await answer(request, context)
        } catch let problem as Problem {
            return .problem(problem)
        } catch is NIOTooManyBytesError {
            return .problem(
                Problem(
                    status: 413, code: "too-large", title: "The request body is too large",
                    detail: "a value has at most \(Self.mostBytes) bytes"))
        } catch {
            logger.warning("a request to the worker API broke off: \(error)")
            return .problem(.badRequest("the request's body broke off"))
        }
    }

    private func answer(_ request: Request, _ context: Context) async throws -> Response {
        let asked = try APIRequest(
            method: request.method.rawValue, path: request.uri.path, query: request.uri.query ?? "")
        if asked.action == .describe { return .json(Array(OpenAPI.document.utf8)) }
        let call = try call(of: request)
        let operation = try await operation(asked.action, request, context)
        let result: Result<StateResult, StateError>
        do throws(JoinedCall.Refusal) {
            result = try await call.operate(operation, immediately: asked.immediately)
        } catch {
            throw Problem(error, of: call.invocation)
        }
        return try response(to: operation, result)
    }

    /// The running call that the request means.
    private func call(of request: Request) throws(Problem) -> JoinedCall {
        let words = request.headers[.authorization]?.split(separator: " ") ?? []
        guard words.count == 2, words[0].lowercased() == "bearer",
            let access = directory.access(token: String(words[1]))
        else { throw .unauthorized }
        guard let header = request.headers[.apusInvocation] else {
            if let call = access.call(nil) { return call }
            throw access.knowsInvocation ? .over(nil) : .unnamed
        }
        guard let id = InvocationID(header) else {
            throw .badRequest("Apus-Invocation is not the id of an invocation: '\(header)'")
        }
        guard let call = access.call(id) else { throw .over(id) }
        return call
    }

    private func operation(
        _ action: APIRequest.Action, _ request: Request, _ context: Context
    ) async throws -> StateOperation {
        switch action {
        case .get(let key): return .get(key: key)
        case .set(let key): return .set(key: key, value: try await body(of: request, context))
        case .delete(let key): return .delete(key: key)
        case .increment(let key, let amount): return .increment(key: key, by: amount)
        case .list(let prefix, let after, let limit): return .list(prefix: prefix, after: after, limit: limit)
        case .send(let target, let delay): return .send(try await message(to: target, after: delay, request, context))
        case .describe: throw Problem.badRequest("the description needs no call")
        }
    }

    private func message(
        to target: String, after delay: Duration, _ request: Request, _ context: Context
    ) async throws -> OutgoingMessage {
        let attributes = try MessageHeader(request.headers).attributes
        return OutgoingMessage(
            target: target, data: try await body(of: request, context), attributes: attributes, after: delay)
    }

    private func body(of request: Request, _ context: Context) async throws -> [UInt8] {
        try await context.invite(bodyOf: request)
        return Array(try await request.body.collect(upTo: Self.mostBytes).readableBytesView)
    }

    private func response(
        to operation: StateOperation, _ result: Result<StateResult, StateError>
    ) throws(Problem) -> Response {
        switch result {
        case .success(.value(let value?)): return .bytes(value)
        case .success(.value(nil)):
            guard case .get(let key) = operation else { return Response(status: .noContent) }
            throw Problem(
                status: 404, code: "no-key", title: "There is no such key", detail: "the state has no key '\(key)'")
        case .success(.number(let number)): return .text(String(number))
        case .success(.entries(let entries, let more)):
            guard case .list(_, _, let limit) = operation else { return Response(status: .noContent) }
            return .json(ListDocument(entries, isCut: more || entries.count == limit).json)
        case .success(.done):
            if case .send = operation { return Response(status: .accepted) }
            return Response(status: .noContent)
        case .success(.conflict): throw .conflict
        case .failure(let error): throw Problem(error)
        }
    }
}

extension HTTPField.Name {
    // The name is a token, so that the initialiser cannot fail (RFC 9110 §5.6.2).
    fileprivate static let apusInvocation = HTTPField.Name("Apus-Invocation")!
}

extension Response {
    fileprivate static func bytes(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    fileprivate static func text(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    fileprivate static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    fileprivate static func problem(_ problem: Problem) -> Response {
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let seconds = problem.retryAfter { headers[.retryAfter] = String(seconds) }
        for field in problem.headers {
            if let name = HTTPField.Name(field.name) { headers.append(HTTPField(name: name, value: field.value)) }
        }
        return Response(
            status: HTTPResponse.Status(code: problem.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: problem.json)))
    }
}
