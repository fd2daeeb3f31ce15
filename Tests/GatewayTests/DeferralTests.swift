import Events
import Gateway
import Manifests
import Testing

@Suite("What a client prefers")
struct PreferencesTests {
    @Test(
        "respond-async is found among others, in any case, with spaces, parameters and values",
        arguments: [
            ["respond-async"], ["Respond-Async"], ["return=minimal, respond-async"], [" respond-async ;foo=bar"],
            ["return=minimal", "respond-async"], [#"x="a, b", respond-async"#], ["respond-async, wait=1"],
            [#"x="\", y", respond-async"#],
        ])
    func respondAsync(values: [String]) { #expect(Preferences(values).respondAsync) }

    @Test(
        "what only looks like it is something else",
        arguments: [
            [], [""], ["respond"], [#"x="respond-async""#], [#"x="a, respond-async, b""#], ["x; respond-async"],
            ["respond async"], ["wait=10"],
        ])
    func other(values: [String]) { #expect(!Preferences(values).respondAsync) }

    @Test(
        "wait has seconds; the first one counts, and what is no number is ignored",
        arguments: [
            (["wait=10"], 10), (["WAIT = \"10\""], 10), (["wait=1, wait=2"], 1), (["wait=1", "wait=2"], 1),
            (["wait=-1"], nil), (["wait"], nil), (["wait="], nil), (["wait=1.5"], nil), ([], nil),
            (["wait=99999999999999999999"], 86_400),
        ] as [([String], Int?)])
    func wait(values: [String], seconds: Int?) {
        #expect(Preferences(values).wait == seconds.map { .seconds($0) })
    }
}

@Suite("How a request is to be queued")
struct DeferralTests {
    private static let now = WallTime(milliseconds: 1_800_000_000_000)

    private static func deferral(_ list: [(String, String)]) throws(Problem) -> Deferral? {
        var fields = RequestFields()
        for (name, value) in list { fields.add(name, value) }
        fields.finish()
        return try Deferral(fields, now: now)
    }

    private static let prefer = ("Prefer", "respond-async")

    @Test("fields that are taken apart once are due from when each of their requests comes")
    func again() throws {
        var fields = RequestFields()
        for (name, value) in [Self.prefer, ("Apus-After", "10s")] { fields.add(name, value) }
        fields.finish()
        for now in [Self.now, Self.now.advanced(by: .seconds(5))] {
            #expect(try Deferral(fields, now: now)?.due == now.advanced(by: .seconds(10)))
        }
    }

    @Test("a priority that concerns the connection alone is none")
    func connectionPriority() throws {
        let fields = [Self.prefer, ("Priority", "u=1"), ("Connection", "priority")]
        #expect(try Self.deferral(fields)?.urgency == 3)
    }

    @Test("a request without the preference runs now")
    func now() throws {
        #expect(try Self.deferral([]) == nil)
        #expect(try Self.deferral([("Prefer", "wait=5"), ("Priority", "u=1")]) == nil)
    }

    @Test("it is due at once, after a time, or at a time")
    func due() throws {
        #expect(try Self.deferral([Self.prefer])?.due == Self.now)
        #expect(
            try Self.deferral([Self.prefer, ("apus-after", "1m30s")])?.due == Self.now.advanced(by: .seconds(90)))
        #expect(
            try Self.deferral([Self.prefer, ("Apus-At", "2027-01-15T09:00:10+01:00")])?.due
                == Self.now.advanced(by: .seconds(10)))
    }

    @Test(
        "a delay that is none, too long, or without the preference is a 400",
        arguments: [
            [("Apus-After", "10s")], [("Apus-At", "2027-01-15T09:00:10Z")], [prefer, ("Apus-After", "soon")],
            [prefer, ("Apus-After", "-1s")], [prefer, ("Apus-At", "2027-01-15")], [prefer, ("Apus-After", "367d")],
            [prefer, ("Apus-After", "99999999999d")], [prefer, ("Apus-At", "2099-01-01T00:00:00Z")],
            [prefer, ("Apus-After", "1s"), ("Apus-At", "2027-01-15T09:00:10Z")],
            [prefer, ("Apus-After", "1s"), ("Apus-After", "2s")],
        ])
    func invalid(list: [(String, String)]) throws {
        let problem = #expect(throws: Problem.self) { try Self.deferral(list) }
        #expect(problem?.status == 400 && problem?.code == "invalid-delay")
    }

    @Test(
        "the urgency is that of the priority, 3 where there is none that can be understood",
        arguments: [
            ("u=0", 0), ("i, u=7", 7), ("u=5, i", 5), ("u = 1", 1), ("u=1;x=2", 1), ("u=8", 3), ("u=-1", 3), ("u=a", 3),
            ("", 3), ("i", 3), ("u", 3), ("u=2, u=4", 4),
        ])
    func urgency(value: String, urgency: Int) throws {
        #expect(try Self.deferral([Self.prefer, ("Priority", value)])?.urgency == urgency)
        #expect(try Self.deferral([Self.prefer])?.urgency == 3)
    }

    @Test("nobody's connection is held longer than a minute")
    func wait() throws {
        #expect(try Self.deferral([("Prefer", "respond-async, wait=10")])?.wait == .seconds(10))
        #expect(try Self.deferral([("Prefer", "respond-async, wait=1000")])?.wait == .seconds(60))
        #expect(try Self.deferral([Self.prefer])?.wait == nil)
    }
}

@Suite("Requests to the host itself")
struct StatusRequestTests {
    private static let id = InvocationID()

    private static func read(_ method: String, _ path: String) throws -> StatusRequest.Reading {
        StatusRequest.read(method, try #require(RequestPath(path[...])))
    }

    @Test(
        "an invocation can be looked at, cancelled, and its result fetched",
        arguments: [
            ("GET", "", StatusRequest.Action.status), ("HEAD", "", .status), ("DELETE", "", .cancel),
            ("GET", "/result", .result), ("HEAD", "/result", .result),
        ])
    func asks(method: String, rest: String, action: StatusRequest.Action) throws {
        guard case .ask(let request) = try Self.read(method, "/_apus/invocations/\(Self.id)" + rest) else {
            throw Unexpected()
        }
        #expect(request.id == Self.id && request.action == action)
    }

    @Test(
        "other methods are refused with those that there are",
        arguments: [
            ("POST", "", "DELETE, GET, HEAD, OPTIONS"), ("DELETE", "/result", "GET, HEAD, OPTIONS"),
        ])
    func methods(method: String, rest: String, allowed: String) throws {
        guard case .refuse(let problem) = try Self.read(method, "/_apus/invocations/\(Self.id)" + rest) else {
            throw Unexpected()
        }
        #expect(problem.status == 405 && problem.headers == [HeaderField("Allow", allowed)])
        guard case .options(let methods) = try Self.read("OPTIONS", "/_apus/invocations/\(Self.id)" + rest) else {
            throw Unexpected()
        }
        #expect(methods.joined(separator: ", ") == allowed)
    }

    @Test(
        "everything else below /_apus is not found",
        arguments: [
            "/_apus", "/_apus/", "/_apus/invocations", "/_apus/invocations/x", "/_apus/invocations/\(id)/",
            "/_apus/invocations/\(id)/results", "/_apus/invocations/\(id)/result/x", "/_apus/functions",
        ])
    func unknown(path: String) throws {
        guard case .refuse(let problem) = try Self.read("GET", path) else { throw Unexpected() }
        #expect(problem.status == 404)
    }

    private struct Unexpected: Error {}
}
