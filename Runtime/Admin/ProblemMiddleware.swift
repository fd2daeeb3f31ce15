import Engine
import Events
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import Storage

/// Lets only requests of this machine's own programs through, and turns every error into `application/problem+json`.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    let hostGuard: HostGuard
    let logger: Logger

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if let refusal = refusal(of: request) { return .problem(refusal) }
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            return .problem(problem)
        } catch is NIOTooManyBytesError {
            return .problem(Problem(status: 413, code: "too-large", title: "The request body is too large"))
        } catch let error as HTTPError {
            return .problem(Problem(error, path: request.uri.path))
        } catch is HTTPParserError {
            return .problem(
                Problem(
                    status: 400, code: "bad-request", title: "The request cannot be understood",
                    detail: "its body broke off, or its chunks are none"))
        } catch is CancellationError {
            // For a caller who has gone.
            return .problem(Problem(status: 499, code: "cancelled", title: "The caller has gone"))
        } catch let error as StorageError {
            logger.error("storage fails", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return .problem(Problem(unsaved: error))
        } catch {
            logger.error("the admin API failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return .problem(
                Problem(status: 500, code: "internal", title: "The host failed", detail: "its log says why"))
        }
    }

    private func refusal(of request: Request) -> Problem? {
        hostGuard.refusal(
            authority: request.head.authority, origin: request.headers[.origin],
            fetchSite: HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] })
    }
}

extension Problem {
    fileprivate init(_ error: HTTPError, path: String) {
        switch error.status {
        case .notFound: self = .notFound("there is nothing at \(path); /v1/openapi.json lists what there is")
        default:
            self.init(
                status: error.status.code, code: "bad-request", title: "The request cannot be understood",
                detail: error.body)
        }
    }
}

extension Response {
    static func problem(_ problem: Problem) -> Response {
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
