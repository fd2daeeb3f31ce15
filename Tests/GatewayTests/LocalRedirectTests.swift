import Engine
import Events
import Gateway
import NIOCore
import Support
import Synchronization
import Testing
import Workers

@Suite("A redirect within the host")
struct LocalRedirectTests {
    /// Says what it was asked for, or redirects where the query says.
    private static let redirecting: Responder = { head, body, function, id, lane async throws(Problem) in
        if head.query.hasPrefix("to=") { return Reply(redirect: String(head.query.dropFirst(3))) }
        return try await echo(head, body, function, id, lane)
    }

    private func answer(_ request: String) async throws -> Client.Response {
        try await withGateway(respond: Self.redirecting) { try await $0.answer(request) }
    }

    @Test("is followed with GET, without the body and what described it")
    func followed() async throws {
        let seen = Mutex<RequestHead?>(nil)
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            seen.withLock { $0 = head }
            return try await Self.redirecting(head, body, function, id, lane)
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer(
                "POST /echo/a?to=/hello/Ada%20L?x=1 HTTP/1.1\r\nHost: x\r\nCookie: c=d\r\nContent-Type: a/b\r\n"
                    + "Content-Length: 4\r\n\r\nbody")
            #expect(response.status == 200)
            #expect(response.body.isEmpty)
        }
        let head = try #require(seen.withLock { $0 })
        #expect(head.method == "GET" && head.path == "/hello/Ada%20L" && head.query == "x=1")
        #expect(head.parameters == [HeaderField("name", "Ada L")])
        #expect(head.headers == [HeaderField("Host", "x"), HeaderField("Cookie", "c=d")])
        #expect(head.remoteAddress.hasPrefix("127.0.0.1:"))
    }

    @Test("may lead to another, and the last invocation is the one that the client hears of")
    func chain() async throws {
        let ids = Mutex<[InvocationID]>([])
        let respond: Responder = { head, body, function, id, lane async throws(Problem) in
            ids.withLock { $0.append(id) }
            return try await Self.redirecting(head, body, function, id, lane)
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer(
                "GET /echo/a?to=/echo/b?to=/hello/Ada HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 200)
            let seen = ids.withLock { $0 }
            #expect(Set(seen).count == 3)
            #expect(response.headers.first("Apus-Invocation") == seen.last?.description)
        }
    }

    @Test("in a circle ends after ten")
    func circle() async throws {
        let count = Mutex(0)
        try await withGateway(
            respond: { _, _, _, _, _ async throws(Problem) in
                count.withLock { $0 += 1 }
                return Reply(redirect: "/echo/again")
            }
        ) { world in
            let response = try await world.answer("GET /echo/a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 502)
            #expect(response.text.contains("urn:apus:problem:endless-redirect"))
        }
        #expect(count.withLock { $0 } == 11)
    }

    @Test(
        "to where nothing is answers as the path would",
        arguments: [("/nowhere", 404), ("/small/a", 404), ("/hello/a/b", 404), ("/echo/../a", 502), ("/%zz", 502)])
    func nowhere(target: String, status: Int) async throws {
        let response = try await answer("GET /echo/a?to=\(target) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(response.status == status)
    }

    @Test("passes on what the last function fails with")
    func failure() async throws {
        let respond: Responder = { head, _, _, _, _ async throws(Problem) in
            if head.path == "/echo/a" { return Reply(redirect: "/echo/b") }
            throw Problem(status: 500, code: "handler-failed", title: "no")
        }
        try await withGateway(respond: respond) { world in
            let response = try await world.answer("GET /echo/a HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 500)
        }
    }
}
