package import Events
import FoundationEssentials
package import NIOCore

/// What a runtime answers to an HTTP event, in API Gateway's payload format 2.0
/// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
package struct LambdaResponse: Sendable {
    package let head: ResponseHead
    package let body: ByteBuffer

    /// Of a buffered response. JSON without a `statusCode` is itself the body of a 200: a string's text, everything else
    /// as it stands.
    package init(_ payload: ByteBuffer) throws(CallFailure) {
        let fields: Fields
        do {
            fields = try JSONDecoder().decode(Fields.self, from: Data(payload.readableBytesView))
        } catch {
            throw Self.malformed("it is not JSON, or a field has another type: \(error)")
        }
        guard let status = fields.statusCode else {
            let json = HeaderField("content-type", "application/json")
            head = ResponseHead(status: 200, headers: [json])
            body = fields.text.map { ByteBuffer(string: $0) } ?? payload
            return
        }
        head = try fields.head(status, contentType: "application/json")
        guard fields.isBase64Encoded else {
            body = ByteBuffer(string: fields.body)
            return
        }
        guard let bytes = Data(base64Encoded: fields.body) else { throw Self.malformed("its body is not base64") }
        body = ByteBuffer(bytes: bytes)
    }

    /// The head that a streamed response begins with; whose body has no `content-type` by itself.
    package static func prelude(_ json: ByteBuffer) throws(CallFailure) -> ResponseHead {
        do {
            let fields = try JSONDecoder().decode(Fields.self, from: Data(json.readableBytesView))
            return try fields.head(fields.statusCode ?? 200, contentType: "application/octet-stream")
        } catch let failure as CallFailure {
            throw failure
        } catch {
            throw malformed("its prelude is not JSON, or a field has another type: \(error)")
        }
    }

    static func malformed(_ what: String) -> CallFailure {
        CallFailure(.contractBroken, "the function's response is no HTTP response: \(what)")
    }
}

/// The keys of a response. Numbers and truth values in headers are taken as text, as API Gateway does.
private struct Fields: Decodable {
    var statusCode: Int?
    var headers: [HeaderField] = []
    var body = ""
    var isBase64Encoded = false
    /// The whole answer, where it is a string.
    var text: String?

    private enum Key: String, CodingKey {
        case statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded
    }

    init(from decoder: any Decoder) throws {
        guard let container = try? decoder.container(keyedBy: Key.self) else {
            text = try? decoder.singleValueContainer().decode(String.self)
            return
        }
        statusCode = try Self.status(container)
        // An object without a status is most likely no response, and its keys may be anything.
        if statusCode == nil { try? take(container) } else { try take(container) }
    }

    private mutating func take(_ container: KeyedDecodingContainer<Key>) throws {
        for (name, value) in try container.decodeIfPresent([String: Scalar?].self, forKey: .headers) ?? [:] {
            if let value { headers.append(HeaderField(name, value.text)) }
        }
        for (name, values) in try container.decodeIfPresent([String: [Scalar]].self, forKey: .multiValueHeaders) ?? [:]
        {
            headers.removeAll { $0.name.lowercased() == name.lowercased() }
            headers += values.map { HeaderField(name, $0.text) }
        }
        headers.sort { $0.name < $1.name }
        headers += try (container.decodeIfPresent([String].self, forKey: .cookies) ?? []).map {
            HeaderField("set-cookie", $0)
        }
        body = try container.decodeIfPresent(String.self, forKey: .body) ?? ""
        isBase64Encoded = try container.decodeIfPresent(Bool.self, forKey: .isBase64Encoded) ?? false
    }

    private static func status(_ container: KeyedDecodingContainer<Key>) throws -> Int? {
        guard container.contains(.statusCode) else { return nil }
        let scalar = try container.decode(Scalar.self, forKey: .statusCode)
        guard let status = Int(scalar.text) else {
            throw DecodingError.dataCorruptedError(
                forKey: .statusCode, in: container, debugDescription: "statusCode is no number: \(scalar.text)")
        }
        return status
    }

    func head(_ status: Int, contentType: String) throws(CallFailure) -> ResponseHead {
        guard (200...599).contains(status) else {
            throw LambdaResponse.malformed("its statusCode is \(status); 200 to 599 are possible")
        }
        // The body's length is what it is, and the connection is the host's.
        var fields = headers.filter { !Self.ours.contains($0.name.lowercased()) }
        if fields.first("content-type") == nil { fields.append(HeaderField("content-type", contentType)) }
        return ResponseHead(status: status, headers: fields)
    }

    private static let ours: Set = ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"]
}

/// A JSON string, number or truth value, as text.
private struct Scalar: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(String.self) {
            text = value
        } else if let value = try? container.decode(Int.self) {
            text = String(value)
        } else if let value = try? container.decode(Bool.self) {
            text = String(value)
        } else {
            let number = try container.decode(Double.self)
            text = String(number)
        }
    }
}
