import Admin
import Events
import Manifests
import Support
import Testing

@Suite("AWS's Invoke")
struct AWSInvocationTests {
    private static let id = InvocationID(high: 1, low: 2)

    private static func invocation(
        _ name: String = "orders", qualifier: String? = nil, _ headers: [String: String] = [:], _ payload: String = "{}"
    ) throws -> AWSInvocation {
        try AWSInvocation(
            function: name, qualifier: qualifier, header: { headers[$0] }, payload: Array(payload.utf8))
    }

    private static func manifest(_ contract: Handler.Contract) -> Manifest {
        let pattern = RoutePattern(segments: [.literal("orders"), .parameter("id")], description: "/orders/{id}")
        return Manifest(
            name: "orders", handler: Handler(command: ["/bin/true"], contract: contract, directory: "/"),
            triggers: [.http(HTTPTrigger(path: pattern))])
    }

    private static func plan(
        _ invocation: AWSInvocation, _ contract: Handler.Contract = .lambda
    ) throws -> InvocationPlan {
        try invocation.plan(for: manifest(contract), id: id, now: WallTime(milliseconds: 0))
    }

    @Test(
        "takes a function's name, its ARN, and what is between",
        arguments: [
            "orders", "orders:$LATEST", "000000000000:function:orders",
            "arn:aws:lambda:us-east-1:000000000000:function:orders",
            "arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST",
        ])
    func names(_ name: String) throws {
        #expect(try Self.invocation(name).function == "orders")
    }

    @Test("refuses what is no name, and versions that there are not")
    func badNames() {
        #expect(throws: AWSError.self) { try Self.invocation("a:b:c:d") }
        let version = #expect(throws: AWSError.self) { try Self.invocation("orders:7") }
        #expect(version?.status == 404 && version?.type == "ResourceNotFoundException")
        #expect(throws: AWSError.self) { try Self.invocation(qualifier: "live") }
        #expect(throws: AWSError.self) { try Self.invocation("orders", ["X-Amz-Invocation-Type": "Later"]) }
        #expect(throws: AWSError.self) { try Self.invocation("orders", ["X-Amz-Client-Context": "?"]) }
    }

    @Test("gives a Lambda function the payload as it is")
    func lambda() throws {
        let context = ["X-Amz-Client-Context": "eyJhIjoxfQ=="]
        guard case .event(.topic, let event) = try Self.plan(Self.invocation("orders", context, #"{"a": [1.50]}"#))
        else {
            Issue.record("not an event")
            return
        }
        #expect(event.type == "apus.lambda.invoke")
        #expect(event.data == Array(#"{"a": [1.50]}"#.utf8))
        #expect(event.extensions["clientcontext"] == #"{"a":1}"#)
    }

    @Test("without a payload means an empty object")
    func empty() throws {
        #expect(try Self.invocation("orders", [:], "").payload == Array("{}".utf8))
    }

    @Test("queues an event")
    func event() throws {
        let invocation = try Self.invocation("orders", ["X-Amz-Invocation-Type": "Event"], "[1]")
        guard case .enqueue(let new) = try Self.plan(invocation) else {
            Issue.record("not queued")
            return
        }
        #expect(new.kind == .topic && new.trigger == "orders/invoke" && new.event.data == Array("[1]".utf8))
    }

    private static let request = #"""
        {"version": "2.0", "rawPath": "/orders/7", "rawQueryString": "full=1", "headers": {"accept": "text/plain"},
         "cookies": ["a=b", "c=d"], "body": "aGk=", "isBase64Encoded": true,
         "requestContext": {"http": {"method": "PUT"}}}
        """#

    @Test("makes a request of what has the shape of one, for functions that are no Lambda functions")
    func shape() throws {
        guard case .request(let head, let body) = try Self.plan(Self.invocation("orders", [:], Self.request), .stdio)
        else {
            Issue.record("not a request")
            return
        }
        #expect(head.method == "PUT" && head.path == "/orders/7" && head.query == "full=1")
        #expect(head.parameters == [HeaderField("id", "7")])
        #expect(head.headers.first("cookie") == "a=b; c=d")
        #expect(body == Array("hi".utf8))
        guard case .event = try Self.plan(Self.invocation("orders", [:], Self.request), .lambda) else {
            Issue.record("not an event")
            return
        }
    }

    @Test("queues such a request, for functions that only requests call")
    func shapedEvent() throws {
        let invocation = try Self.invocation("orders", ["X-Amz-Invocation-Type": "Event"], Self.request)
        guard case .enqueue(let new) = try Self.plan(invocation, .stdio) else {
            Issue.record("not queued")
            return
        }
        #expect(new.kind == .http && new.request?.method == "PUT" && new.request?.path == "/orders/7")
        #expect(new.event.data == Array("hi".utf8))
    }

    @Test("says when no route takes such a request")
    func noRoute() throws {
        let elsewhere = Self.request.replacing("/orders/7", with: "/elsewhere")
        let error = #expect(throws: AWSError.self) { try Self.plan(Self.invocation("orders", [:], elsewhere), .stdio) }
        #expect(error?.type == "InvalidParameterValueException")
        #expect(error?.message.contains("/elsewhere") == true)
    }

    @Test("gives everything else as the data of an event", arguments: ["{}", "[1]", "7", #"{"version": "2.0"}"#])
    func other(_ payload: String) throws {
        guard case .event(_, let event) = try Self.plan(Self.invocation("orders", [:], payload), .stdio) else {
            Issue.record("not an event")
            return
        }
        #expect(event.data == Array(payload.utf8) && event.dataContentType == "application/json")
    }

    @Test("refuses a payload that is not JSON", arguments: ["{", "nothing", #"{"a":}"#])
    func malformed(_ payload: String) throws {
        let error = #expect(throws: AWSError.self) { try Self.plan(Self.invocation("orders", [:], payload)) }
        #expect(error?.type == "InvalidRequestContentException")
    }

    @Test("tells errors of the function from those of the service")
    func failures() {
        var own = Problem(status: 502, code: "function-error", title: "x")
        own.functionError = Array("{}".utf8)
        #expect(AWSFailure(own) == .functionError(payload: Array("{}".utf8)))
        let late = Problem(status: 504, code: "timed-out", title: "x", detail: "too long")
        let json = #"{"errorType":"Sandbox.Timedout","errorMessage":"too long"}"#
        #expect(AWSFailure(late) == .functionError(payload: Array(json.utf8)))
        let full = Problem(status: 503, code: "too-many-waiting", title: "x")
        #expect(AWSFailure(full) == .serviceError(AWSError(429, "TooManyRequestsException", "x")))
        let stopping = Problem(status: 503, code: "stopping", title: "x")
        #expect(AWSFailure(stopping) == .serviceError(AWSError(503, "ServiceException", "x")))
    }

    @Test("says in AWS's words that there is no such function, and lets no page of another site through")
    func server() async throws {
        try await AdminWorld.with { world in
            let path = "/2015-03-31/functions/nobody/invocations"
            let answer = try await world.send("POST", path, body: "{}")
            #expect(answer.status == 404)
            #expect(answer.head.lowercased().contains("x-amzn-errortype: resourcenotfoundexception"))
            #expect(answer.body == #"{"Type":"User","Message":"Function not found: nobody"}"# + "\n")
            #expect(try await world.send("POST", path, ["Origin: http://evil.example"], body: "{}").status == 403)
        }
    }
}
