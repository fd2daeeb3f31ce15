package import Events
import FoundationEssentials
package import Manifests
import Workers

/// What AWS's `Invoke` asks for (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
package struct AWSInvocation: Sendable {
    package enum Kind: String, Sendable {
        /// The function runs, and its answer is the response.
        case requestResponse = "RequestResponse"
        /// The event is queued.
        case event = "Event"
        /// Nothing runs; whether it could is the answer.
        case dryRun = "DryRun"
    }

    package let function: String
    package let kind: Kind
    package let wantsLog: Bool
    /// JSON, decoded.
    package let clientContext: String?
    package let payload: [UInt8]

    /// - Parameters:
    ///   - name: a function's name, its ARN, or the part of one from the account on; percent-decoded.
    ///   - header: the value of a header field.
    package init(
        function name: String, qualifier: String?, header: (String) -> String?, payload: [UInt8]
    ) throws(AWSError) {
        let (function, version) = try Self.split(name)
        if let version = version ?? qualifier, version != LambdaFunction.version {
            throw AWSError(
                404, "ResourceNotFoundException",
                "the function '\(function)' has no version or alias '\(version)'; leave it out, or name $LATEST")
        }
        let type = header("X-Amz-Invocation-Type") ?? Kind.requestResponse.rawValue
        guard let kind = Kind(rawValue: type) else {
            throw .invalid("X-Amz-Invocation-Type is one of RequestResponse, Event and DryRun, not '\(type)'")
        }
        self.function = function
        self.kind = kind
        wantsLog = header("X-Amz-Log-Type") == "Tail"
        clientContext = try header("X-Amz-Client-Context").map(Self.context)
        self.payload = payload.isEmpty ? Array("{}".utf8) : payload
    }

    /// `NAME`, `NAME:VERSION`, `ACCOUNT:function:NAME…` or `arn:aws:lambda:REGION:ACCOUNT:function:NAME…`.
    private static func split(_ text: String) throws(AWSError) -> (name: String, version: String?) {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false)[...]
        if let index = parts.firstIndex(of: "function"), index < parts.endIndex - 1 {
            parts = parts[(index + 1)...]
        }
        guard let name = parts.first, !name.isEmpty, parts.count <= 2 else {
            throw .invalid("'\(text)' is neither a function's name nor its ARN")
        }
        return (String(name), parts.count == 2 ? parts.last.map(String.init) : nil)
    }

    private static func context(_ text: String) throws(AWSError) -> String {
        guard let data = Data(base64Encoded: text), let json = String(validating: data, as: UTF8.self),
            !json.utf8.contains(where: { $0 < 0x20 })
        else { throw .invalid("X-Amz-Client-Context is not the base64 of one line of JSON") }
        return json
    }

    /// What is to be done. A Lambda function gets the payload as its event. Any other gets a payload that has the shape of
    /// API Gateway's format 2.0 as the request that it describes, and everything else as the data of a CloudEvent.
    package func plan(for manifest: Manifest, id: InvocationID, now: WallTime) throws(AWSError) -> InvocationPlan {
        let shape: GatewayRequest
        do {
            shape = try JSONDecoder().decode(GatewayRequest.self, from: Data(payload))
        } catch {
            throw AWSError(400, "InvalidRequestContentException", "the payload is not JSON: \(error)")
        }
        if manifest.handler.contract != .lambda, kind != .event, !manifest.httpTriggers.isEmpty,
            let request = shape.request
        {
            do {
                return try request.plan(for: manifest, id: id, now: now)
            } catch {
                throw .invalid(error.detail ?? error.title)
            }
        }
        let event = Event(
            id: id.description, source: "/functions/\(manifest.name)/invoke", type: LambdaEvent.invokeType, time: now,
            dataContentType: "application/json",
            extensions: clientContext.map { [LambdaEvent.clientContext: $0] } ?? [:], data: payload)
        guard kind == .event else { return .event(.topic, event) }
        return .enqueue(.init(kind: .topic, trigger: "\(manifest.name)/invoke", event: event, due: now))
    }
}

/// A payload that may be a request in API Gateway's format 2.0.
private struct GatewayRequest: Decodable {
    private struct Context: Decodable {
        struct HTTP: Decodable { var method: String }
        var http: HTTP
    }

    private struct Shape: Decodable {
        var version: String
        var rawPath: String
        var rawQueryString: String?
        var headers: [String: String]?
        var cookies: [String]?
        var body: String?
        var isBase64Encoded: Bool?
        var requestContext: Context
    }

    /// `nil` for what is something else.
    let request: InvocationRequest?

    init(from decoder: any Decoder) throws {
        guard let shape = try? Shape(from: decoder), shape.version == "2.0" else {
            request = nil
            return
        }
        var request = InvocationRequest()
        let query = shape.rawQueryString ?? ""
        request.trigger = .http
        request.method = shape.requestContext.http.method
        request.path = shape.rawPath + (query.isEmpty ? "" : "?" + query)
        request.headers = shape.headers ?? [:]
        if let cookies = shape.cookies { request.headers?["cookie"] = cookies.joined(separator: "; ") }
        if shape.isBase64Encoded == true { request.base64 = shape.body } else { request.data = shape.body }
        self.request = request
    }
}
