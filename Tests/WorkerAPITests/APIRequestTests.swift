import Events
import Testing

@testable import WorkerAPI

@Suite("What a request to the worker API asks for")
struct APIRequestTests {
    private func action(_ method: String, _ path: String, _ query: String = "") throws -> APIRequest.Action {
        try APIRequest(method: method, path: path, query: query).action
    }

    private func status(_ method: String, _ path: String, _ query: String = "") -> Int {
        do throws(Problem) {
            _ = try APIRequest(method: method, path: path, query: query)
            return 200
        } catch {
            return error.status
        }
    }

    @Test("a key is all that follows, percent-decoded, slashes at any place included")
    func keys() throws {
        #expect(try action("GET", "/state/a") == .get(key: "a"))
        #expect(try action("GET", "/state/a/b/") == .get(key: "a/b/"))
        #expect(try action("GET", "/state//a%2Fb%20c+d") == .get(key: "/a/b c+d"))
        #expect(try action("PUT", "/state/increment/x") == .set(key: "increment/x"))
        #expect(try action("DELETE", "/state/%C3%A9") == .delete(key: "é"))
    }

    @Test("an increment adds 1 unless it says otherwise")
    func increments() throws {
        #expect(try action("POST", "/increment/a/b") == .increment(key: "a/b", by: 1))
        #expect(try action("POST", "/increment/a", "by=-5") == .increment(key: "a", by: -5))
        #expect(status("POST", "/increment/a", "by=9223372036854775808") == 400)
        #expect(status("GET", "/increment/a") == 405)
    }

    @Test("a message goes to the target in the path, now or after a while")
    func messages() throws {
        #expect(try action("POST", "/send/order.placed") == .send(target: "order.placed", after: .zero))
        #expect(try action("POST", "/send/a", "after=1m30s") == .send(target: "a", after: .seconds(90)))
        #expect(status("POST", "/send/a", "after=5") == 400)
        #expect(status("PUT", "/send/a") == 405)
    }

    @Test("a list has a prefix, a beginning and a bound, each of which may be left out")
    func lists() throws {
        #expect(try action("GET", "/state") == .list(prefix: "", after: nil, limit: 100))
        #expect(
            try action("GET", "/state", "prefix=a%2F&after=a/b+c&limit=5")
                == .list(prefix: "a/", after: "a/b c", limit: 5))
        #expect(try action("GET", "/state", "limit=99999999") == .list(prefix: "", after: nil, limit: 10_000))
        #expect(status("GET", "/state", "limit=0") == 400)
        #expect(status("POST", "/state") == 405)
    }

    @Test(
        "'immediately' is yes, no, or a mistake",
        arguments: [
            ("", false), ("immediately", true), ("immediately=true", true), ("immediately=false", false),
        ])
    func immediately(query: String, expected: Bool) throws {
        #expect(try APIRequest(method: "DELETE", path: "/state/k", query: query).immediately == expected)
        #expect(status("DELETE", "/state/k", "immediately=maybe") == 400)
    }

    @Test("a parameter that means nothing here is refused rather than ignored")
    func unknownParameters() {
        #expect(status("PUT", "/state/k", "imediately") == 400)
        #expect(status("GET", "/state/k", "limit=3") == 400)
        #expect(status("GET", "/openapi.json", "x") == 400)
    }

    @Test("what is not there is 404, what is not UTF-8 is 400")
    func mistakes() {
        #expect(status("GET", "/") == 404)
        #expect(status("GET", "/states/k") == 404)
        #expect(status("GET", "/state/%FF") == 400)
        #expect(status("GET", "/state/%4") == 400)
        #expect(status("GET", "/state", "prefix=%FF") == 400)
    }
}
