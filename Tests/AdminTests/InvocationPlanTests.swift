import Admin
import Events
import Manifests
import Storage
import Testing

@Suite struct InvocationPlanTests {
    static let id = InvocationID(high: 1, low: 2)
    static let now = WallTime(milliseconds: 0)

    static func manifest(_ triggers: Trigger...) -> Manifest {
        Manifest(
            name: "orders", handler: Handler(command: ["/bin/true"], contract: .stdio, directory: "/"),
            triggers: triggers)
    }

    static func route(_ segments: RoutePattern.Segment..., methods: [String] = []) -> Trigger {
        .http(HTTPTrigger(path: RoutePattern(segments: segments, description: "/as/written"), methods: methods))
    }

    static func plan(_ manifest: Manifest, _ change: (inout InvocationRequest) -> Void = { _ in }) throws
        -> InvocationPlan
    {
        var request = InvocationRequest()
        change(&request)
        return try request.plan(for: manifest, id: id, now: now)
    }

    @Test(
        "a name that an invocation does not have is refused, and so is what has another type",
        arguments: [
            #"{"body": "x"}"#: "'body' is nothing that an invocation has; it has: trigger, method, ",
            #"{"event": {"priority": "1"}}"#: "'priority' is nothing that its event has; it has: id, source, type, ",
            #"{"event": {"extensions": {"a": 1}}}"#: "'event.extensions.a' is not that of an invocation: ",
            #"{"event": "x"}"#: "'event' is not that of an invocation: ",
            "": "the JSON is not that of an invocation: ",
        ])
    func misread(json: String, beginning: String) throws {
        let problem = try #require(throws: Problem.self) { try InvocationRequest(json: Array(json.utf8)) }
        #expect(problem.status == 400)
        #expect(problem.detail?.hasPrefix(beginning) == true, "\(problem.detail ?? "")")
    }

    @Test("an invocation in JSON is read")
    func json() throws {
        let text = #"{"trigger": "timer", "async": true, "event": {"extensions": {"due": "2026-03-29T02:30:00Z"}}}"#
        let request = try InvocationRequest(json: Array(text.utf8))
        #expect(request.trigger == .timer && request.async == true)
        #expect(request.event?.extensions == ["due": "2026-03-29T02:30:00Z"])
    }

    @Test("nothing said is a GET of the first route without its optional parameter")
    func simplest() throws {
        let manifest = Self.manifest(Self.route(.literal("orders"), .optional("id")))
        guard case .request(let head, let body) = try Self.plan(manifest) else {
            Issue.record("not a request")
            return
        }
        #expect(head.method == "GET")
        #expect(head.path == "/orders")
        #expect(head.parameters.isEmpty)
        #expect(body.isEmpty)
    }

    @Test("a path is matched, its parameters decoded, its query split off; data makes it a POST")
    func requestWithData() throws {
        let manifest = Self.manifest(Self.route(.literal("orders"), .parameter("id"), .rest("more")))
        let plan = try Self.plan(manifest) {
            $0.path = "/orders/a%20b/c/d?full=1"
            $0.data = "hello"
            $0.headers = ["accept": "text/plain"]
        }
        guard case .request(let head, let body) = plan else {
            Issue.record("not a request")
            return
        }
        #expect(head.method == "POST")
        #expect(head.path == "/orders/a%20b/c/d")
        #expect(head.query == "full=1")
        #expect(head.parameters == [HeaderField("id", "a b"), HeaderField("more", "c/d")])
        #expect(head.headers == [HeaderField("accept", "text/plain")])
        #expect(body == Array("hello".utf8))
    }

    @Test("the only method that a route has is the one that is meant")
    func onlyMethod() throws {
        let manifest = Self.manifest(Self.route(.literal("x"), methods: ["DELETE"]))
        guard case .request(let head, _) = try Self.plan(manifest) else {
            Issue.record("not a request")
            return
        }
        #expect(head.method == "DELETE")
    }

    @Test("of several routes the most specific is called, as the gateway does it; GET brings HEAD")
    func specificRoute() throws {
        let manifest = Self.manifest(
            Self.route(.literal("a"), .rest("all")), Self.route(.literal("a"), .parameter("x"), methods: ["GET"]))
        func parameters(_ path: String, _ method: String) throws -> [HeaderField] {
            guard case .request(let head, _) = try Self.plan(manifest, { ($0.path, $0.method) = (path, method) }) else {
                return []
            }
            return head.parameters
        }
        #expect(try parameters("/a/b", "GET") == [HeaderField("x", "b")])
        #expect(try parameters("/a/b", "HEAD") == [HeaderField("x", "b")])
        #expect(try parameters("/a/b", "POST") == [HeaderField("all", "b")])
        #expect(try parameters("/a", "GET") == [])
    }

    @Test("a path that the gateway refuses is refused", arguments: ["/a/%+a", "/a/%zz", "/a/..", "a"])
    func invalidPath(path: String) {
        let manifest = Self.manifest(Self.route(.literal("a"), .rest("all")))
        let problem = #expect(throws: Problem.self) { try Self.plan(manifest) { $0.path = path } }
        #expect(problem?.detail?.contains("begins with '/'") == true)
    }

    @Test(
        "a method or a header that would be two lines, or none, is refused",
        arguments: [("", [:]), ("GE T", [:]), ("GET /x HTTP/1.1\r\nX:", [:])]
            + [("x", "a\r\ny: z"), ("x", "a\u{1}"), ("a b", "1"), ("ü", "1"), ("", "1")].map { ("GET", [$0: $1]) })
    func notOnALine(method: String, headers: [String: String]) {
        let manifest = Self.manifest(Self.route(.literal("a")))
        let problem = #expect(throws: Problem.self) {
            try Self.plan(manifest) { ($0.method, $0.headers) = (method, headers) }
        }
        #expect(problem?.status == 400 || problem?.status == 422)
    }

    @Test("a timer that is invoked is due now, from the trigger that it stands for")
    func timer() throws {
        let manifest = Self.manifest(Self.route(.literal("x")), .timer(TimerTrigger(schedule: .every(.seconds(60)))))
        let plan = try Self.plan(manifest) { $0.trigger = .timer }
        guard case .event(.timer, let event) = plan else {
            Issue.record("not an event")
            return
        }
        #expect(event.type == "apus.timer.due")
        #expect(event.source == "/timers/orders/1")
        #expect(event.id == Self.id.description)
        #expect(event.extensions["due"] == Self.now.description)
    }

    @Test("a file event names its file, and can be queued")
    func file() throws {
        let manifest = Self.manifest(.file(FileTrigger(watch: "/in")))
        let plan = try Self.plan(manifest) {
            $0.event = .init()
            $0.event?.subject = "a/b.csv"
            $0.async = true
        }
        guard case .enqueue(let new) = plan else {
            Issue.record("not queued")
            return
        }
        #expect(new.trigger == "orders/file/0")
        #expect(new.event.subject == "a/b.csv")
        #expect(new.event.extensions["path"] == "/in/a/b.csv")
    }

    @Test("a message goes to the trigger's topic unless it says otherwise")
    func message() throws {
        let plan = try Self.plan(Self.manifest(.topic(TopicTrigger("order.placed")))) { $0.data = "x" }
        guard case .event(.topic, let event) = plan else {
            Issue.record("not an event")
            return
        }
        #expect(event.type == "order.placed")
        #expect(event.extensions["apustarget"] == "order.placed")
        #expect(event.data == [UInt8]("x".utf8))
    }

    @Test("a change of state goes to the trigger that follows the key")
    func change() throws {
        let manifest = Self.manifest(
            .state(StateTrigger(prefix: "item/", namespace: "shop")),
            .state(StateTrigger(prefix: "order/", namespace: "orders")))
        let plan = try Self.plan(manifest) {
            $0.data = "x"
            $0.async = true
            $0.event = .init()
            $0.event?.subject = "order/7"
        }
        guard case .enqueue(let new) = plan else {
            Issue.record("not queued")
            return
        }
        #expect(new.kind == .state && new.trigger == "orders/state/1")
        let event = new.event
        #expect(event.type == "apus.state.set" && event.source == "/state/orders" && event.subject == "order/7")
        #expect(event.extensions == ["version": "0"] && event.data == [UInt8]("x".utf8))
        let deleted = try Self.plan(manifest) {
            $0.event = .init()
            $0.event?.subject = "item/7"
            $0.event?.type = "apus.state.deleted"
        }
        guard case .event(.state, let event) = deleted else {
            Issue.record("not an event")
            return
        }
        #expect(event.source == "/state/shop" && event.data.isEmpty && event.dataContentType == nil)
    }

    @Test("base64 data is decoded")
    func base64() throws {
        let manifest = Self.manifest(Self.route(.literal("x")))
        guard case .request(_, let body) = try Self.plan(manifest, { $0.base64 = "AP8=" }) else {
            Issue.record("not a request")
            return
        }
        #expect(body == [0, 255])
    }

    @Test("a request for the queue keeps its head and body, and says when and how urgently")
    func queuedRequest() throws {
        let manifest = Self.manifest(Self.route(.literal("orders"), .parameter("id")))
        let plan = try Self.plan(manifest) {
            ($0.path, $0.data, $0.async, $0.after, $0.priority) = ("/orders/7?x=1", "hello", true, "1m", 0)
        }
        guard case .enqueue(let new) = plan else {
            Issue.record("not for the queue")
            return
        }
        let invocation = new.invocation(of: "orders", id: Self.id)
        #expect(invocation.request?.path == "/orders/7" && invocation.request?.query == "x=1")
        #expect(invocation.request?.parameters == [HeaderField("id", "7")] && invocation.kind == .http)
        #expect(invocation.event.data == Array("hello".utf8) && invocation.event.type == "apus.http.request")
        #expect(invocation.due == Self.now.advanced(by: .seconds(60)) && invocation.urgency == 0)
        #expect(!invocation.mayRepeat && invocation.event.id == Self.id.description)
    }

    private static let followers = manifest(
        .state(StateTrigger(prefix: "a", namespace: "n")), .state(StateTrigger(prefix: "b", namespace: "n")))

    @Test("what cannot be done is refused with what could be")
    func refusals() {
        let http = Self.manifest(Self.route(.literal("orders"), .parameter("id"), methods: ["GET"]))
        let cases: [(String, Manifest, (inout InvocationRequest) -> Void)] = [
            ("have parameters", http, { _ in }),
            ("none of the function's routes: /as/written", http, { $0.path = "/nowhere" }),
            ("does not take PUT", http, { ($0.path, $0.method) = ("/orders/1", "put") }),
            ("it has: http", http, { $0.trigger = .timer }),
            ("add 'async'", http, { ($0.path, $0.after) = ("/orders/1", "1s") }),
            ("0 to 7", http, { ($0.path, $0.async, $0.priority) = ("/orders/1", true, 8) }),
            ("a duration", http, { ($0.path, $0.async, $0.after) = ("/orders/1", true, "soon") }),
            ("RFC 3339", http, { ($0.path, $0.async, $0.at) = ("/orders/1", true, "tomorrow") }),
            ("not both", http, { ($0.path, $0.async, $0.at, $0.after) = ("/orders/1", true, "x", "1s") }),
            ("366 days", http, { ($0.path, $0.async, $0.after) = ("/orders/1", true, "400d") }),
            ("'base64' is not base64", http, { $0.base64 = "%" }),
            ("event.subject", Self.manifest(.file(FileTrigger(watch: "/in"))), { _ in }),
            ("no trigger", Self.manifest(), { _ in }),
            ("event.subject", Self.followers, { _ in }),
            ("does not begin with what the function follows: 'a', 'b'", Self.followers, { $0.event = .about("c") }),
            (
                "leave 'data' out", Self.followers,
                {
                    ($0.event, $0.data) = (.about("a"), "x")
                    $0.event?.type = "apus.state.deleted"
                }
            ),
        ]
        for (expected, manifest, change) in cases {
            let problem = #expect(throws: Problem.self) { try Self.plan(manifest, change) }
            #expect(problem?.status == 400)
            #expect(problem?.detail?.contains(expected) == true, "\(problem?.detail ?? "")")
        }
    }
}

extension InvocationRequest.EventFields {
    fileprivate static func about(_ subject: String) -> Self {
        var fields = Self()
        fields.subject = subject
        return fields
    }
}

@Suite struct TriggerSummaryTests {
    @Test("a trigger is said in one line")
    func summaries() {
        let cron = TimerTrigger(schedule: .cron("0 7 * * 1-5"), zone: "Europe/Berlin")
        #expect(Trigger.timer(cron).summary == "timer cron 0 7 * * 1-5 Europe/Berlin")
        #expect(Trigger.timer(TimerTrigger(schedule: .every(.seconds(5400)))).summary == "timer every 1h30m")
        #expect(
            InvocationPlanTests.route(.literal("x"), methods: ["GET", "PUT"]).summary == "http GET,PUT /as/written")
        #expect(Trigger.file(FileTrigger(watch: "/in", include: [Glob("*.csv")])).summary == "file /in *.csv")
        #expect(Trigger.topic(TopicTrigger("a")).summary == "topic a")
        let filter = EventFilter.prefix(attribute: "subject", value: "eu/")
        #expect(Trigger.topic(TopicTrigger("a", filter: filter)).summary == "topic a with subject=eu/*")
        #expect(Trigger.state(StateTrigger(prefix: "order/", namespace: "n")).summary == "state n order/*")
    }
}
