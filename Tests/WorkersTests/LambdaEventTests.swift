import Events
import Foundation
import Manifests
import NIOCore
import Testing
import Workers

@Suite("An invocation as a Lambda function sees it")
struct LambdaEventTests {
    private static let id = InvocationID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001)
    /// 2020-03-12T19:03:58.390Z
    private static let now = WallTime(milliseconds: 1_584_039_838_390)

    private static func json(
        _ cause: Invocation.Cause, body: ByteBuffer = ByteBuffer(), environment: [String: String] = [:]
    ) throws -> [String: Any] {
        let pattern = RoutePattern(segments: [.literal("orders"), .optional("id")], description: "/orders/{id?}")
        var manifest = Manifest(
            name: "shop", handler: Handler(command: ["/bin/true"], contract: .lambda, directory: "/"),
            triggers: [.http(HTTPTrigger(path: pattern, methods: ["POST"]))])
        manifest.environment = environment
        let invocation = Invocation(id: id, function: "shop", cause: cause)
        let event = try LambdaEvent(invocation, body: body, of: LambdaFunction(manifest), now: now)
        let object = try JSONSerialization.jsonObject(with: Data(event.json.readableBytesView))
        return try #require(object as? [String: Any])
    }

    private static func request(
        _ headers: [HeaderField] = [], query: String = "", body: ByteBuffer = ByteBuffer(),
        remote: String = "[::1]:5000"
    ) throws -> [String: Any] {
        let head = RequestHead(
            method: "POST", path: "/orders/a%20b", query: query, parameters: [HeaderField("id", "a b")],
            headers: [HeaderField("Host", "shop.example:8080")] + headers, remoteAddress: remote)
        return try json(.request(head), body: body)
    }

    @Test("a request has the shape of API Gateway's format 2.0")
    func gateway() throws {
        let event = try Self.request([HeaderField("User-Agent", "curl")], query: "x=1")
        #expect(event["version"] as? String == "2.0")
        #expect(event["routeKey"] as? String == "POST /orders/{id}")
        #expect(event["rawPath"] as? String == "/orders/a%20b")
        #expect(event["rawQueryString"] as? String == "x=1")
        #expect(event["pathParameters"] as? [String: String] == ["id": "a b"])
        #expect(event["body"] == nil && event["cookies"] == nil && event["isBase64Encoded"] as? Bool == false)
        let context = try #require(event["requestContext"] as? [String: Any])
        #expect(context["accountId"] as? String == "000000000000")
        #expect(context["domainName"] as? String == "shop.example:8080")
        #expect(context["domainPrefix"] as? String == "shop")
        #expect(context["requestId"] as? String == Self.id.description)
        #expect(context["stage"] as? String == "$default")
        #expect(context["time"] as? String == "12/Mar/2020:19:03:58 +0000")
        #expect(context["timeEpoch"] as? Int64 == 1_584_039_838_390)
        let http = try #require(context["http"] as? [String: String])
        #expect(
            http == [
                "method": "POST", "path": "/orders/a%20b", "protocol": "HTTP/1.1", "sourceIp": "::1",
                "userAgent": "curl",
            ])
    }

    @Test("headers are in lowercase, several of a name joined, and cookies apart")
    func headers() throws {
        let event = try Self.request([
            HeaderField("Accept", "a"), HeaderField("accept", "b"), HeaderField("Cookie", "k=v; l=w"),
            HeaderField("cookie", "m=x"),
        ])
        let headers = try #require(event["headers"] as? [String: String])
        #expect(headers["host"] == "shop.example:8080" && headers["accept"] == "a,b")
        #expect(headers.keys.allSatisfy { $0 == $0.lowercased() } && headers["cookie"] == nil)
        #expect(event["cookies"] as? [String] == ["k=v", "l=w", "m=x"])
    }

    @Test("the host says who the client is; what a client from elsewhere says of others is dropped")
    func forwarded() throws {
        let claims = [
            HeaderField("X-Forwarded-For", "1.2.3.4"), HeaderField("X-Forwarded-Proto", "https"),
            HeaderField("X-Forwarded-Port", "443"), HeaderField("X-Real-IP", "1.2.3.4"),
        ]
        func headers(_ remote: String) throws -> [String: String] {
            let all = try #require(try Self.request(claims, remote: remote)["headers"] as? [String: String])
            return all.filter { $0.key != "host" }
        }
        #expect(
            try headers("192.0.2.7:5000") == [
                "forwarded": "for=192.0.2.7;host=\"shop.example:8080\";proto=http", "x-forwarded-for": "192.0.2.7",
                "x-forwarded-host": "shop.example:8080", "x-forwarded-port": "8080", "x-forwarded-proto": "http",
            ])
        #expect(
            try headers("127.0.0.1:5000") == [
                "forwarded": "for=127.0.0.1;host=\"shop.example:8080\";proto=http",
                "x-forwarded-for": "1.2.3.4, 127.0.0.1", "x-forwarded-host": "shop.example:8080",
                "x-forwarded-port": "443", "x-forwarded-proto": "https", "x-real-ip": "1.2.3.4",
            ])
    }

    @Test("the query is decoded, several values of a name joined by commas, and also given as it came")
    func query() throws {
        let query = "a=1&b=%C3%BC+x&a=2&flag&c=%ZZ"
        let event = try Self.request(query: query)
        #expect(event["rawQueryString"] as? String == query)
        let parameters = event["queryStringParameters"] as? [String: String]
        #expect(parameters == ["a": "1,2", "b": "ü x", "flag": "", "c": "%ZZ"])
    }

    @Test(
        "text travels as text, everything else as base64",
        arguments: [
            ("text/plain; charset=utf-8", nil, false), ("application/json", nil, false), (nil, nil, false),
            ("application/problem+json", nil, false), ("image/svg+xml", nil, false), ("image/png", nil, true),
            ("application/x-www-form-urlencoded", nil, true), ("application/json", "gzip", true),
        ] as [(String?, String?, Bool)])
    func bodies(_ type: String?, _ coding: String?, _ isBase64: Bool) throws {
        let headers =
            (type.map { [HeaderField("Content-Type", $0)] } ?? [])
            + (coding.map { [HeaderField("Content-Encoding", $0)] } ?? [])
        let event = try Self.request(headers, body: ByteBuffer(string: #"{"a":"ü"}"#))
        #expect(event["isBase64Encoded"] as? Bool == isBase64)
        #expect(event["body"] as? String == (isBase64 ? "eyJhIjoiw7wifQ==" : #"{"a":"ü"}"#))
    }

    @Test("what is not UTF-8 is no text, whatever its type says")
    func notText() throws {
        let event = try Self.request([HeaderField("Content-Type", "text/plain")], body: ByteBuffer(bytes: [0xFF]))
        #expect(event["isBase64Encoded"] as? Bool == true)
        #expect(event["body"] as? String == "/w==")
    }

    @Test("a due timer is a scheduled event of EventBridge")
    func timer() throws {
        let due = Event(
            id: "due", source: "/functions/shop/timers/0", type: "apus.timer.due", time: Self.now,
            extensions: ["due": "2020-03-12T19:03:58.390Z"])
        let event = try Self.json(.event(.timer, due), environment: ["AWS_REGION": "eu-central-1"])
        #expect(event["detail-type"] as? String == "Scheduled Event")
        #expect(event["source"] as? String == "aws.events")
        #expect(event["id"] as? String == Self.id.description)
        #expect(event["time"] as? String == "2020-03-12T19:03:58Z")
        #expect(event["region"] as? String == "eu-central-1")
        #expect(
            event["resources"] as? [String] == [
                "arn:aws:events:eu-central-1:000000000000:rule/functions-shop-timers-0"
            ])
        #expect((event["detail"] as? [String: Any])?["due"] as? String == "2020-03-12T19:03:58.390Z")
    }

    @Test("a message is an event of EventBridge with the CloudEvent as its detail")
    func message() throws {
        let placed = Event(
            id: "1", source: "/orders", type: "order.placed", time: Self.now, dataContentType: "application/json",
            data: Array(#"{"n":1}"#.utf8))
        let event = try Self.json(.event(.topic, placed))
        #expect(event["detail-type"] as? String == "order.placed")
        #expect(event["source"] as? String == "/orders")
        let detail = try #require(event["detail"] as? [String: Any])
        #expect(detail["data"] as? [String: Int] == ["n": 1])
    }

    @Test("a change of state is one too, with the key and the value in its detail")
    func change() throws {
        let set = Event(
            id: "k@5", source: "/state/shop", type: "apus.state.set", subject: "k", time: Self.now,
            dataContentType: "application/octet-stream", extensions: ["version": "5"], data: Array("{}".utf8))
        let event = try Self.json(.event(.state, set))
        #expect(event["detail-type"] as? String == "apus.state.set" && event["source"] as? String == "/state/shop")
        let detail = try #require(event["detail"] as? [String: Any])
        #expect(detail["subject"] as? String == "k" && detail["data"] as? String == "{}")
    }

    @Test("what AWS's Invoke was given goes through as it is")
    func invoke() throws {
        let raw = Event(
            id: "1", source: "/x", type: LambdaEvent.invokeType, time: Self.now, data: Array(#"{"any":[1]}"#.utf8))
        #expect(try Self.json(.event(.topic, raw))["any"] as? [Int] == [1])
    }

    private static func records(_ type: String, old: String? = nil) throws -> [[String: Any]] {
        var extensions = ["name": "a b/ü.csv", "watch": "/srv/in", "size": "7", "modified": "2020-01-01T00:00:00.000Z"]
        extensions["oldname"] = old
        let event = Event(
            id: "e", source: "/functions/shop/files/0", type: type, subject: "a b/ü.csv", time: now,
            extensions: extensions)
        return try #require(try json(.event(.file, event))["Records"] as? [[String: Any]])
    }

    @Test("a file is an object in the bucket that its folder is", arguments: ["created", "modified"])
    func file(kind: String) throws {
        let record = try #require(try Self.records("apus.file.\(kind)").first)
        #expect(record["eventSource"] as? String == "aws:s3")
        #expect(record["eventName"] as? String == "ObjectCreated:Put")
        let store = try #require(record["s3"] as? [String: Any])
        #expect((store["bucket"] as? [String: Any])?["name"] as? String == "/srv/in")
        let object = try #require(store["object"] as? [String: Any])
        #expect(object["key"] as? String == "a+b/%C3%BC.csv")
        #expect(object["size"] as? Int == 7)
    }

    @Test("a file that has gone was removed; one that was moved was removed and created")
    func filesThatGo() throws {
        #expect(try Self.records("apus.file.deleted").map { $0["eventName"] as? String } == ["ObjectRemoved:Delete"])
        let moved = try Self.records("apus.file.moved", old: "old.csv")
        #expect(moved.map { $0["eventName"] as? String } == ["ObjectRemoved:Delete", "ObjectCreated:Copy"])
        let keys = moved.map { (($0["s3"] as? [String: Any])?["object"] as? [String: Any])?["key"] as? String }
        #expect(keys == ["old.csv", "a+b/%C3%BC.csv"])
    }

    @Test("the environment is what runtimes expect, and the manifest's goes before it")
    func environment() {
        var manifest = Manifest(
            name: "shop",
            handler: Handler(
                command: ["/usr/bin/python3", "-m", "awslambdaric", "app.handler"], contract: .lambda,
                directory: "/srv/shop"), triggers: [])
        let plain = LambdaEnvironment(manifest, port: 9001, worker: 3, now: Self.now).variables
        #expect(plain["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001")
        #expect(plain["_HANDLER"] == "app.handler")
        #expect(plain["LAMBDA_TASK_ROOT"] == "/srv/shop")
        #expect(plain["AWS_LAMBDA_FUNCTION_NAME"] == "shop")
        #expect(plain["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256")
        #expect(plain["AWS_LAMBDA_LOG_STREAM_NAME"] == "2020/03/12/[$LATEST]3")
        manifest.environment = ["_HANDLER": "other", "AWS_REGION": "eu-west-1", "AWS_LAMBDA_RUNTIME_API": "elsewhere"]
        manifest.handler.command = ["/srv/shop/bootstrap"]
        let own = LambdaEnvironment(manifest, port: 9001, worker: 3, now: Self.now).variables
        #expect(own["_HANDLER"] == "other" && own["AWS_DEFAULT_REGION"] == "eu-west-1")
        #expect(own["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001")
        manifest.environment = [:]
        #expect(LambdaEnvironment(manifest, port: 1, worker: 1, now: Self.now).variables["_HANDLER"] == "bootstrap")
    }
}
