import Foundation
import Support
import Testing

/// AWS's own runtime client and SDK, from the virtual environment that `make test` sets up.
@Suite("A Lambda function on awslambdaric")
struct LambdaTests {
    private static let python = repository + "/.build/test-python/bin/python3"

    private static let manifest = """
        name: shop
        handler: { command: [\(python), -m, awslambdaric, shop.handler], contract: lambda }
        triggers:
          - http: { path: "/shop/{task}" }
          - timer: { every: 1h }
          - file: { watch: ./inbox }
        workers: { max: 4 }
        limits: { body: 16MiB, time: 5s, wait: 60s, memory: 512MiB }
        retry: { attempts: 2, first: 10ms, longest: 10ms }
        """

    private static let handler = #"""
        import json, os, time

        from aws_lambda_powertools.utilities.parser.models import (
            APIGatewayProxyEventV2Model, EventBridgeModel, S3Model)


        def handler(event, context):
            if event.get("source") == "aws.events":
                print("timer", EventBridgeModel.model_validate(event).detail_type)
            elif "Records" in event:
                for record in S3Model.model_validate(event).Records:
                    print("file", record.eventName, record.s3.bucket.name + "/" + record.s3.object.key)
            elif "requestContext" in event:
                return respond(event, context)
            else:
                return invoked(event, context)


        def respond(event, context):
            model = APIGatewayProxyEventV2Model.model_validate(event)
            task = model.pathParameters["task"]
            if task == "pid":
                time.sleep(0.002)
                return {"pid": os.getpid()}
            if task == "echo":
                kind = model.headers.get("content-type", "text/plain")
                return {"statusCode": 200, "headers": {"content-type": kind}, "body": event.get("body", ""),
                        "isBase64Encoded": event["isBase64Encoded"], "cookies": event.get("cookies", [])}
            if task == "fail":
                raise KeyError("Grüße")
            if task == "late":
                time.sleep(60)
            if task == "id":
                return {"id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
                        "name": context.function_name, "memory": context.memory_limit_in_mb}


        def invoked(event, context):
            print("invoked with", json.dumps(event))
            if event.get("fail"):
                raise ValueError(event["fail"])
            if event.get("die"):
                os._exit(3)
            if event.get("late"):
                time.sleep(60)
            return {"event": event, "id": context.aws_request_id,
                    "client": context.client_context.custom if context.client_context else None}
        """#

    private func withShop(
        _ manifest: String = Self.manifest, _ body: (ApusHost) async throws -> Void
    ) async throws {
        try await ApusHost.with(
            ["shop": manifest],
            prepare: { folder in
                try Self.handler.write(toFile: folder + "/manifests/shop.py", atomically: true, encoding: .utf8)
                try FileManager.default.createDirectory(
                    atPath: folder + "/manifests/inbox", withIntermediateDirectories: true)
            }, body)
    }

    @Test("answers a thousand calls with four workers", .timeLimit(.minutes(5)))
    func thousand() async throws {
        let manifest = Self.manifest.replacing("workers: { max: 4 }", with: "workers: { min: 4, max: 4 }")
        try await withShop(manifest) { host in
            let areReady = try await eventually {
                try host.function("shop").pool.workers.count { $0.state == "idle" } == 4
            }
            #expect(areReady)
            let port = host.port
            let answers = try await onThreads(8) { _ in
                let connection = try HTTPConnection(port: port)
                return try (0..<125).map { _ in try connection.request("GET", "/shop/pid").text }
            }
            #expect(answers.joined().count == 1000)
            #expect(answers.joined().allSatisfy { $0.hasPrefix(#"{"pid": "#) })
            #expect(Set(answers.joined()).count == 4)
            #expect(try host.function("shop").pool.started == 4)
        }
    }

    @Test("takes and gives text of every script, and bytes")
    func unicode() async throws {
        try await withShop { host in
            let text = "Grüße, 世界, 🐦‍⬛, \u{0}\u{1F}\"\\"
            let connection = try host.connect()
            let plain = try connection.request(
                "POST", "/shop/echo?a=%C3%BC", headers: [("Content-Type", "text/plain; charset=utf-8")],
                body: Array(text.utf8))
            #expect(plain.text == text)
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let binary = try connection.request(
                "POST", "/shop/echo", headers: [("Content-Type", "image/png"), ("Cookie", "a=b")], body: bytes)
            #expect(binary.body == bytes)
            #expect(binary.headers["set-cookie"] == "a=b")
            #expect(binary.headers["content-type"] == "image/png")
        }
    }

    @Test("takes and gives 6 MB", .timeLimit(.minutes(3)), arguments: ["text/plain", "application/octet-stream"])
    func large(type: String) async throws {
        try await withShop { host in
            let body = [UInt8](repeating: UInt8(ascii: "x"), count: 6_000_000)
            let answer = try host.connect().request("POST", "/shop/echo", headers: [("Content-Type", type)], body: body)
            #expect(answer.status == 200)
            let isSame = answer.body == body
            #expect(isSame)
        }
    }

    @Test("that raises is a 502 with its type, one that is late a 504, and both serve the next call")
    func errors() async throws {
        try await withShop { host in
            let failed = try host.get("/shop/fail")
            #expect(failed.status == 502)
            #expect(failed.text.contains("urn:apus:problem:function-error") && failed.text.contains("KeyError"))
            #expect(!failed.text.contains("Grüße"), "what a handler says is not for clients")
            let isLogged = try await eventually { try host.cli("logs", "shop").output.contains("KeyError: 'Grüße'") }
            #expect(isLogged)
            #expect(try host.get("/shop/late").status == 504)
            #expect(try host.get("/shop/pid").status == 200)
        }
    }

    @Test("finds its invocation's id, its deadline and itself in its context")
    func context() async throws {
        try await withShop { host in
            let answer = try host.get("/shop/id")
            struct Context: Decodable {
                var id: String
                var left: Int
                var name: String
                var memory: String
            }
            let context = try JSONDecoder().decode(Context.self, from: Data(answer.body))
            #expect(UUID(uuidString: context.id) != nil)
            #expect((1...5000).contains(context.left))
            #expect(context.name == "shop" && context.memory == "512")
        }
    }

    @Test("gets timers as EventBridge, by the admin API and when they are due")
    func timers() async throws {
        try await withShop { host in
            let timer = try host.cli("invoke", "shop", "--trigger", "timer")
            #expect(timer.status == 0, "\(timer.error)")
            #expect(try await isLogged("timer Scheduled Event", host))
        }
        try await withShop(Self.manifest.replacing("every: 1h", with: "every: 1s")) { host in
            #expect(try await isLogged("timer Scheduled Event", host))
            let isDone = try await eventually { try host.function("shop").queue.done >= 2 }
            #expect(isDone)
        }
    }

    @Test("gets files as S3 would tell of them: those that come, those that get another name, and those that go")
    func files() async throws {
        try await withShop { host in
            let (old, new) = (host.folder + "/manifests/inbox/june.csv", host.folder + "/manifests/inbox/july.csv")
            try "x".write(toFile: old, atomically: false, encoding: .utf8)
            #expect(try await isLogged("file ObjectCreated:Put \(old)", host))
            try FileManager.default.moveItem(atPath: old, toPath: new)
            #expect(try await isLogged("file ObjectRemoved:Delete \(old)", host))
            #expect(try await isLogged("file ObjectCreated:Copy \(new)", host))
            try FileManager.default.removeItem(atPath: new)
            #expect(try await isLogged("file ObjectRemoved:Delete \(new)", host))
        }
    }

    private func isLogged(_ text: String, _ host: ApusHost) async throws -> Bool {
        try await eventually { try host.cli("logs", "shop").output.contains(text) }
    }

    /// A runtime without a library that sends its response as it comes.
    private static let streamer = #"""
        import http.client, os

        connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        head = {"Lambda-Runtime-Function-Response-Mode": "streaming",
                "Content-Type": "application/vnd.awslambda.http-integration-response"}


        def response():
            yield b'{"statusCode": 201, "headers": {"x-kind": "stream"}, "cookies": ["a=b"]}' + bytes(8)
            for number in range(1000):
                yield b"%999d\n" % number


        while True:
            connection.request("GET", "/2018-06-01/runtime/invocation/next")
            event = connection.getresponse()
            event.read()
            path = "/2018-06-01/runtime/invocation/" + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
            connection.request("POST", path, response(), head, encode_chunked=True)
            connection.getresponse().read()
        """#

    @Test("streams its response to the client")
    func stream() async throws {
        let manifest = """
            name: streamer
            handler: { command: [python3, streamer.py], contract: lambda }
            triggers: [ { http: { path: /stream } } ]
            limits: { wait: 60s }
            """
        try await ApusHost.with(
            ["streamer": manifest],
            prepare: { folder in
                try Self.streamer.write(toFile: folder + "/manifests/streamer.py", atomically: true, encoding: .utf8)
            },
            { host in
                for _ in 0..<2 {
                    let answer = try host.get("/stream")
                    #expect(answer.status == 201)
                    #expect(answer.headers["transfer-encoding"] == "chunked")
                    #expect(answer.headers["x-kind"] == "stream" && answer.headers["set-cookie"] == "a=b")
                    #expect(answer.body.count == 1_000_000 && answer.text.hasSuffix(" 999\n"))
                }
                #expect(try host.function("streamer").pool.started == 1)
            })
    }

    @Test("that cannot be imported answers 503, and its log says why")
    func initError() async throws {
        let manifest = Self.manifest.replacingOccurrences(of: "shop.handler", with: "nowhere.handler")
        try await ApusHost.with(
            ["shop": manifest],
            prepare: {
                try FileManager.default.createDirectory(
                    atPath: $0 + "/manifests/inbox", withIntermediateDirectories: true)
            },
            { host in
                let answer = try host.get("/shop/pid")
                #expect(answer.status == 503 && answer.text.contains("start-failed"))
                let why = "Runtime.ImportModuleError: Unable to import module 'nowhere'"
                let isLogged = try await eventually { try host.cli("logs", "shop").output.contains(why) }
                #expect(isLogged)
                let result = try boto3(
                    host,
                    """
                    answer = client.invoke(FunctionName="shop")
                    body = json.loads(answer["Payload"].read())
                    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled", answer
                    assert body["errorType"] == "Runtime.ImportModuleError", body
                    assert body["errorMessage"].startswith("Unable to import module 'nowhere'"), body
                    """)
                #expect(result.status == 0, "\(result.output) \(result.error)")
            })
    }

    // MARK: boto3

    /// Runs Python with a client of the host's admin API.
    private func boto3(_ host: ApusHost, _ script: String) throws -> CommandResult {
        let prelude = """
            import base64, boto3, botocore, json
            client = boto3.client("lambda", endpoint_url="http://127.0.0.1:\(host.adminPort)", region_name="us-east-1",
                aws_access_key_id="x", aws_secret_access_key="x")

            """
        return try run(Self.python, ["-c", prelude + script])
    }

    @Test("is invoked by boto3, with its answer, its error and its log", .timeLimit(.minutes(2)))
    func invoke() async throws {
        try await withShop { host in
            let result = try boto3(
                host,
                #"""
                payload = json.dumps({"text": "Grüße", "n": 1.5})
                context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
                answer = client.invoke(FunctionName="shop", Payload=payload, LogType="Tail", ClientContext=context)
                body = json.loads(answer["Payload"].read())
                assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST", answer
                assert "FunctionError" not in answer, body
                assert body["event"] == {"text": "Grüße", "n": 1.5} and body["client"] == {"k": "v"}, body
                assert body["id"] == answer["ResponseMetadata"]["RequestId"], answer
                log = base64.b64decode(answer["LogResult"]).decode()
                assert "invoked with" in log and len(log) <= 4096, log

                arn = "arn:aws:lambda:us-east-1:000000000000:function:shop"
                answer = client.invoke(FunctionName=arn, Payload=json.dumps({"fail": "no such day"}))
                body = json.loads(answer["Payload"].read())
                assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled", answer
                assert body["errorType"] == "ValueError" and body["errorMessage"] == "no such day", body
                assert body["stackTrace"], body

                for payload, kind in ({"die": 1}, "Runtime.ExitError"), ({"late": 1}, "Sandbox.Timedout"):
                    answer = client.invoke(FunctionName="shop", Payload=json.dumps(payload))
                    body = json.loads(answer["Payload"].read())
                    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled", answer
                    assert body["errorType"] == kind, body

                assert client.invoke(FunctionName="shop", InvocationType="DryRun")["StatusCode"] == 204
                large = client.invoke(FunctionName="shop", Payload=json.dumps({"large": "x" * 6_000_000}))
                assert len(json.loads(large["Payload"].read())["event"]["large"]) == 6_000_000

                try:
                    client.invoke(FunctionName="nobody")
                    assert False
                except client.exceptions.ResourceNotFoundException as error:
                    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
                """#)
            #expect(result.status == 0, "\(result.output) \(result.error)")
        }
    }

    @Test("is invoked by boto3 without waiting; the event is on disk, and tried again when it fails")
    func invokeEvent() async throws {
        try await withShop { host in
            let result = try boto3(
                host,
                """
                for payload in ({"order": 7}, {"fail": "always"}):
                    answer = client.invoke(FunctionName="shop", InvocationType="Event", Payload=json.dumps(payload))
                    assert answer["StatusCode"] == 202, answer
                """)
            #expect(result.status == 0, "\(result.output) \(result.error)")
            let isRun = try await eventually {
                let queue = try host.function("shop").queue
                return queue.done == 1 && queue.dead == 1
            }
            #expect(isRun)
            let log = try host.cli("logs", "shop").output
            #expect(log.contains(#"invoked with {"order": 7}"#))
            #expect(log.components(separatedBy: #"invoked with {"fail": "always"}"#).count == 3)
        }
    }

    @Test("and any other function are called alike")
    func otherContracts() async throws {
        let manifest = """
            name: upper
            handler: { command: [tr, a-z, A-Z] }
            triggers: [{ http: { path: /upper } }]
            """
        try await ApusHost.with(["upper": manifest]) { host in
            let result = try boto3(
                host,
                """
                request = {"version": "2.0", "rawPath": "/upper", "body": "hello",
                    "requestContext": {"http": {"method": "POST"}}}
                answer = client.invoke(FunctionName="upper", Payload=json.dumps(request))
                body = json.loads(answer["Payload"].read())
                assert body["statusCode"] == 200 and body["body"] == "HELLO", body
                answer = client.invoke(FunctionName="upper", Payload=json.dumps({"any": "thing"}))
                assert json.loads(answer["Payload"].read()) is None
                """)
            #expect(result.status == 0, "\(result.output) \(result.error)")
            let log = try host.cli("logs", "upper").output
            #expect(log.contains("APUS.LAMBDA.INVOKE") && log.contains("THING"))
        }
    }
}
