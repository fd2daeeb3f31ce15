import Events
import HTTPTypes
import Manifests

/// The attributes of a message in the header of its request: the binary mode of CloudEvents
/// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode).
struct MessageHeader {
    private static let prefix = "ce-"

    var attributes: [HeaderField] = []

    init(_ fields: HTTPFields) throws(Problem) {
        if let type = fields[.contentType] {
            guard !type.lowercased().hasPrefix("application/cloudevents") else {
                throw Problem(
                    status: 415, code: "structured-mode", title: "An event in the structured mode cannot be sent",
                    detail: "send it in the binary mode: its data as the body, its attributes as ce-* header fields")
            }
            attributes.append(HeaderField("datacontenttype", type))
        }
        for field in fields {
            let name = field.name.canonicalName
            guard name.hasPrefix(Self.prefix) else { continue }
            guard let value = RequestPath.decode(Substring(field.value)) else {
                throw .badRequest("the header field \(name) is not percent-encoded UTF-8")
            }
            attributes.append(HeaderField(String(name.dropFirst(Self.prefix.count)), value))
        }
    }
}
