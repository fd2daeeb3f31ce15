package import Events
import FoundationEssentials
package import NIOCore

/// An invocation as a Lambda function expects it, in JSON: a request as API Gateway sends it, a due timer as EventBridge
/// does, a file as S3 does, what AWS's own `Invoke` was given as it is, and everything else as an EventBridge event.
package struct LambdaEvent: Sendable {
    /// The type of an event whose data is the payload of an AWS `Invoke`, and goes to the function unchanged.
    package static let invokeType = "apus.lambda.invoke"
    /// Its extension attribute with the caller's client context, in JSON.
    package static let clientContext = "clientcontext"

    package let json: ByteBuffer

    /// - Parameter body: of a request, as a whole.
    package init(
        _ invocation: Invocation, body: ByteBuffer, of function: LambdaFunction, now: WallTime
    ) throws {
        switch invocation.cause {
        case .request(let head):
            json = try Self.encode(GatewayEvent(head, body: body, id: invocation.id, of: function, now: now))
        case .event(_, let event) where event.type == Self.invokeType:
            json = ByteBuffer(bytes: event.data)
        case .event(.file, let event):
            json = try Self.encode(FileNotification(event, id: invocation.id, of: function))
        case .event(_, let event):
            json = ByteBuffer(bytes: Self.bridge(event, id: invocation.id, of: function))
        }
    }

    private static func encode(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return ByteBuffer(bytes: try encoder.encode(value))
    }

    /// The shape of https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html, with the CloudEvent as
    /// `detail`. Its `id` is the invocation's, which is the same in each attempt.
    private static func bridge(_ event: Event, id: InvocationID, of function: LambdaFunction) -> [UInt8] {
        let isTimer = event.type == "apus.timer.due"
        let rule = event.source.split(separator: "/").joined(separator: "-")
        let fields: KeyValuePairs = [
            "version": "0", "id": id.description, "detail-type": isTimer ? "Scheduled Event" : event.type,
            "source": isTimer ? "aws.events" : event.source, "account": LambdaFunction.account,
            "time": event.time.description.prefix(19) + "Z", "region": function.region,
        ]
        let resource = "arn:aws:events:\(function.region):\(LambdaFunction.account):rule/\(rule)"
        return JSONWriter.object { json in
            for (name, value) in fields { json.field(text: name, value) }
            json.field("resources", array: { $0.string(resource) })
            json.field("detail", object: { CloudEventJSON.write(event, to: &$0) })
        }
    }
}

/// What S3 sends of an object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
/// The watched folder is the bucket, by its absolute path; the file is the object, by its path in the folder, encoded as
/// S3 does it. A file that was moved is two records: its old name has gone, its new one has come.
struct FileNotification: Encodable {
    struct Record: Encodable {
        struct Principal: Encodable { var principalId = "apus" }

        struct Bucket: Encodable {
            let name: String
            var ownerIdentity = Principal()
            let arn: String
        }

        struct Object: Encodable {
            let key: String
            let size: Int64?
            let eTag: String?
            let sequencer: String
        }

        struct Store: Encodable {
            var s3SchemaVersion = "1.0"
            let configurationId: String
            let bucket: Bucket
            let object: Object
        }

        var eventVersion = "2.1"
        var eventSource = "aws:s3"
        let awsRegion: String
        let eventTime: String
        let eventName: String
        var userIdentity = Principal()
        var requestParameters = ["sourceIPAddress": "127.0.0.1"]
        let responseElements: [String: String]
        let s3: Store
    }

    var Records: [Record] = []

    init(_ event: Event, id: InvocationID, of function: LambdaFunction) {
        let name = event.extensions["name"] ?? event.subject ?? ""
        switch event.type {
        case "apus.file.deleted": add("ObjectRemoved:Delete", name, event, id, function)
        case "apus.file.moved":
            if let old = event.extensions["oldname"] { add("ObjectRemoved:Delete", old, event, id, function) }
            add("ObjectCreated:Copy", name, event, id, function)
        default: add("ObjectCreated:Put", name, event, id, function)
        }
    }

    private mutating func add(
        _ what: String, _ name: String, _ event: Event, _ id: InvocationID, _ function: LambdaFunction
    ) {
        let folder = event.extensions["watch"] ?? ""
        let isThere = what.hasPrefix("ObjectCreated")
        let object = Record.Object(
            key: Self.encoded(name), size: isThere ? event.extensions["size"].flatMap { Int64($0) } : nil,
            eTag: isThere ? event.extensions["modified"].map { Self.hexadecimal($0) } : nil,
            sequencer: String(event.time.milliseconds, radix: 16, uppercase: true))
        let store = Record.Store(
            configurationId: event.source, bucket: Record.Bucket(name: folder, arn: "arn:aws:s3:::\(folder)"),
            object: object)
        Records.append(
            Record(
                awsRegion: function.region, eventTime: event.time.description, eventName: what,
                responseElements: ["x-amz-request-id": id.description, "x-amz-id-2": event.id], s3: store))
    }

    /// As a form field (https://url.spec.whatwg.org/#concept-urlencoded-serializer), but for slashes, which stay.
    private static func encoded(_ name: String) -> String {
        var result = ""
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "*"), UInt8(ascii: "/"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: " "): result += "+"
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private static func hexadecimal(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
