import Engine
import Events
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import Workers

/// AWS's own `Invoke`, so that the AWS command line and the SDKs call functions here with `--endpoint-url`. Signatures are
/// not looked at: who reaches the admin API may use it.
extension AdminRoutes {
    /// Bytes of log that `X-Amz-Log-Type: Tail` gives.
    private static let tailBytes = 4 << 10

    func addInvokeRoutes(to router: Router<Context>) {
        router.post("/2015-03-31/functions/:name/invocations") { request, context in
            let name = try context.parameters.require("name")
            do {
                return try await awsInvoke(name, request)
            } catch let error as AWSError {
                return .awsError(error)
            } catch is NIOTooManyBytesError {
                return .awsError(
                    AWSError(413, "RequestTooLargeException", "a payload has at most \(Self.mostBytes >> 20) MiB"))
            } catch let problem as Problem {
                return .awsError(
                    AWSError(max(500, problem.status), "ServiceException", problem.detail ?? problem.title))
            }
        }
    }

    private func awsInvoke(_ name: String, _ request: Request) async throws -> Response {
        var request = request
        let buffer = try await request.collectBody(upTo: Self.mostBytes)
        let invocation = try AWSInvocation(
            function: name.percentDecoded ?? name, qualifier: try request.query("Qualifier"),
            header: { HTTPField.Name($0).flatMap { request.headers[$0] } }, payload: Array(buffer.readableBytesView))
        guard let function = engine.function(named: invocation.function) else {
            throw AWSError(404, "ResourceNotFoundException", "Function not found: \(invocation.function)")
        }
        let id = InvocationID()
        let plan = try invocation.plan(for: function.manifest, id: id, now: .now())
        guard invocation.kind != .dryRun else { return .awsResult(.noContent, id) }
        if case .enqueue(let new) = plan {
            try await enqueue(new, function: invocation.function, id: id)
            return .awsResult(.accepted, id)
        }
        // A caller that goes away takes its invocation with it.
        return try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await awsRun(plan, invocation, id: id)
        }
    }

    private func awsRun(_ plan: InvocationPlan, _ invocation: AWSInvocation, id: InvocationID) async throws -> Response
    {
        var fields: HTTPFields = [:]
        let payload: ByteBuffer
        do {
            payload = try await awsPayload(of: plan, function: invocation.function, id: id)
        } catch let problem as Problem {
            switch AWSFailure(problem) {
            case .serviceError(let error): throw error
            case .functionError(let error):
                payload = ByteBuffer(bytes: error)
                fields[.functionError] = "Unhandled"
            }
        }
        if invocation.wantsLog { fields[.logResult] = await logTail(of: id, function: invocation.function) }
        return .awsResult(.ok, id, fields, payload)
    }

    /// What the function answers, in JSON: `null` where its contract has no answer to an event.
    private func awsPayload(of plan: InvocationPlan, function: String, id: InvocationID) async throws -> ByteBuffer {
        switch plan {
        case .request(let head, let body):
            let (answer, bytes) = try await respond(to: head, body: body, function: function, id: id)
            return try GatewayResponse(answer, bytes).json
        case .event(let kind, let event):
            let answer = try await handle(event, kind: kind, function: function, id: id)
            if case .result(let result) = answer { return result }
            return ByteBuffer(string: "null")
        case .enqueue: return ByteBuffer()
        }
    }

    /// The end of what the invocation has logged, in base64.
    private func logTail(of id: InvocationID, function: String) async -> String {
        struct Line: Decodable { var message: String }
        let query = LogQuery(function: function, invocation: id.description, limit: 1000)
        let text = await services.logs.lines(query)
            .compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)).message + "\n" }.joined()
        return Data(text.utf8.suffix(Self.tailBytes)).base64EncodedString()
    }
}

/// A response in API Gateway's format 2.0.
private struct GatewayResponse: Encodable {
    var statusCode: Int
    var headers: [String: String]
    var cookies: [String]?
    var body: String
    var isBase64Encoded: Bool

    init(_ head: ResponseHead, _ bytes: [UInt8]) {
        statusCode = head.status
        let isCookie: (HeaderField) -> Bool = { $0.name.lowercased() == "set-cookie" }
        let fields = head.headers.filter { !isCookie($0) }.map { ($0.name.lowercased(), $0.value) }
        headers = Dictionary(fields) { $0 + "," + $1 }
        let set = head.headers.filter(isCookie).map(\.value)
        cookies = set.isEmpty ? nil : set
        let text = String(validating: bytes, as: UTF8.self)
        body = text ?? Data(bytes).base64EncodedString()
        isBase64Encoded = text == nil
    }

    var json: ByteBuffer {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .withoutEscapingSlashes
            return ByteBuffer(bytes: try encoder.encode(self))
        }
    }
}

extension HTTPField.Name {
    // The characters of the names are those of tokens (RFC 9110 §5.6.2).
    fileprivate static let functionError = HTTPField.Name("X-Amz-Function-Error")!
    fileprivate static let logResult = HTTPField.Name("X-Amz-Log-Result")!
    fileprivate static let executedVersion = HTTPField.Name("X-Amz-Executed-Version")!
    fileprivate static let requestID = HTTPField.Name("x-amzn-RequestId")!
    fileprivate static let errorType = HTTPField.Name("x-amzn-ErrorType")!
}

extension Response {
    fileprivate static func awsResult(
        _ status: HTTPResponse.Status, _ id: InvocationID, _ fields: HTTPFields = [:], _ payload: ByteBuffer? = nil
    ) -> Response {
        var headers = fields
        headers[.requestID] = id.description
        headers[.executedVersion] = LambdaFunction.version
        guard let payload else { return Response(status: status, headers: headers) }
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: payload))
    }

    fileprivate static func awsError(_ error: AWSError) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        headers[.errorType] = error.type
        return Response(
            status: HTTPResponse.Status(code: error.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: error.json)))
    }
}
