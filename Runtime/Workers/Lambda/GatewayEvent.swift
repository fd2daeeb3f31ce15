import Events
import FoundationEssentials
import Manifests
import NIOCore

/// A request in API Gateway's payload format 2.0
/// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
struct GatewayEvent: Encodable {
    struct Context: Encodable {
        struct HTTP: Encodable {
            let method: String
            let path: String
            var `protocol` = "HTTP/1.1"
            let sourceIp: String
            let userAgent: String
        }

        var accountId = LambdaFunction.account
        let apiId: String
        let domainName: String
        let domainPrefix: String
        let http: HTTP
        let requestId: String
        let routeKey: String
        var stage = "$default"
        /// As in the Common Log Format.
        let time: String
        /// In milliseconds.
        let timeEpoch: Int64
    }

    var version = "2.0"
    let routeKey: String
    /// Percent-encoded, as it came; so is the query string.
    let rawPath: String
    let rawQueryString: String
    /// The cookies of all `Cookie` fields, which are not among the headers.
    let cookies: [String]?
    /// Names in lowercase; several values of one name joined by commas.
    let headers: [String: String]
    /// Decoded; several values of one name joined by commas.
    let queryStringParameters: [String: String]?
    let requestContext: Context
    let body: String?
    let pathParameters: [String: String]?
    let isBase64Encoded: Bool

    init(_ head: RequestHead, body: ByteBuffer, id: InvocationID, of function: LambdaFunction, now: WallTime) {
        routeKey = function.routeKey(of: head)
        rawPath = head.path
        rawQueryString = head.query
        let cookies = head.headers.filter { $0.isNamed("cookie") }.flatMap { Self.cookies(in: $0.value) }
        self.cookies = cookies.isEmpty ? nil : cookies
        let host = head.headers.first("host")
        let forwarded = ForwardedFields(remote: head.remoteAddress, host: host, given: head.headers)
        let given = head.headers.map { HeaderField($0.name.lowercased(), $0.value) }
        let fields = given.filter { $0.name != "cookie" && forwarded.passes($0.name) } + forwarded.fields
        var headers = Self.joined(fields.map { ($0.name.lowercased(), $0.value) })
        // As API Gateway says it.
        headers["x-forwarded-port"] =
            headers["x-forwarded-port"] ?? NamedServer(host: host ?? "", scheme: forwarded.scheme).port
        self.headers = headers
        let parameters = Self.parameters(of: head.query)
        queryStringParameters = parameters.isEmpty ? nil : Self.joined(parameters)
        pathParameters =
            head.parameters.isEmpty ? nil : Self.joined(head.parameters.map { ($0.name, $0.value) })
        let text = Self.isText(head) ? String(validating: body.readableBytesView, as: UTF8.self) : nil
        isBase64Encoded = text == nil
        self.body = body.readableBytes == 0 ? nil : text ?? Data(body.readableBytesView).base64EncodedString()
        let domain = host ?? "localhost"
        requestContext = Context(
            apiId: function.name, domainName: domain, domainPrefix: String(domain.prefix { $0 != "." && $0 != ":" }),
            http: Context.HTTP(
                method: head.method, path: head.path, sourceIp: head.remote.host,
                userAgent: headers["user-agent"] ?? ""),
            requestId: id.description, routeKey: routeKey, time: Self.logTime(now), timeEpoch: now.milliseconds)
    }

    /// Whether the body travels as it is, if it is UTF-8: AWS takes these types for text, and all else for binary. What
    /// has no type is looked at.
    private static func isText(_ head: RequestHead) -> Bool {
        if let coding = head.headers.first("content-encoding"), coding.lowercased() != "identity" { return false }
        guard let field = head.headers.first("content-type") else { return true }
        let type = field.prefix { $0 != ";" && $0 != " " }.lowercased()
        return type.hasPrefix("text/") || type.hasSuffix("+json") || type.hasSuffix("+xml")
            || ["application/json", "application/javascript", "application/xml"].contains(type)
    }

    private static func cookies(in field: String) -> [String] {
        field.split(separator: ";").map { $0.drop(while: \.isWhitespace) }.filter { !$0.isEmpty }.map(String.init)
    }

    /// What cannot be decoded stays as it came.
    private static func parameters(of query: String) -> [(String, String)] {
        query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let (name, value) = (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
            return (decoded(name), decoded(value))
        }
    }

    private static func decoded(_ text: String) -> String {
        let spaced =
            text.utf8.contains(UInt8(ascii: "+"))
            ? text.split(separator: "+", omittingEmptySubsequences: false).joined(separator: " ") : text
        return RequestPath.decode(spaced[...]) ?? text
    }

    private static func joined(_ fields: [(String, String)]) -> [String: String] {
        Dictionary(fields) { $0 + "," + $1 }
    }

    /// `12/Mar/2020:19:03:58 +0000`.
    private static func logTime(_ time: WallTime) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // 2020-03-12T19:03:58.000Z
        let text = Array(time.description.utf8)
        let part: (Range<Int>) -> String = { String(decoding: text[$0], as: UTF8.self) }
        let date = CivilDate(daysSinceEpoch: Int(time.milliseconds.flooredDivision(by: 86_400_000)))
        return "\(part(8..<10))/\(months[date.month - 1])/\(part(0..<4)):\(part(11..<19)) +0000"
    }
}
