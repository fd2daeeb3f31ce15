import Events
import Gateway
import Manifests
import Testing

@Suite struct RouteTableTests {
    func find(_ router: RouteTable, _ path: String, _ method: String = "GET") -> String {
        guard let path = RequestPath(path[...]) else { return "invalid" }
        switch router.find(method, path) {
        case .route(let route, _):
            let values = route.parameters(of: path).map { "\($0.name)=\($0.value)" }
            return ([route.function] + values).joined(separator: " ")
        case .methods(let methods): return methods.joined(separator: ",")
        case .none: return "none"
        }
    }

    @Test("the most specific pattern wins, whatever the order", arguments: [false, true])
    func specificity(reversed: Bool) {
        let manifests = [
            manifest("rest", "/a/{all*}"), manifest("optional", "/a/{x?}"), manifest("parameter", "/a/{y}"),
            manifest("literal", "/a/b"), manifest("deep", "/a/{x}/c"), manifest("deeper", "/a/b/{z}"),
            manifest("root", "/"),
        ]
        let router = RouteTable(reversed ? manifests.reversed() : manifests)
        #expect(find(router, "/") == "root")
        #expect(find(router, "/a/b") == "literal")
        #expect(find(router, "/a/x") == "parameter y=x")
        #expect(find(router, "/a") == "optional")
        #expect(find(router, "/a/") == "optional")
        #expect(find(router, "/a/b/c") == "deeper z=c")
        #expect(find(router, "/a/x/c") == "deep x=x")
        #expect(find(router, "/a/x/d") == "rest all=x/d")
        #expect(find(router, "/a/b/c/d") == "rest all=b/c/d")
        #expect(find(router, "/b") == "none")
    }

    @Test("paths are compared as they are: slashes count, case counts")
    func noNormalisation() {
        let router = RouteTable([
            manifest("plain", "/a"), manifest("double", "/a/b"), manifest("slash", "/s/"), manifest("p", "/p/{x}"),
        ])
        #expect(find(router, "/a") == "plain")
        #expect(find(router, "/a/") == "none")
        #expect(find(router, "/A") == "none")
        #expect(find(router, "/a//b") == "none")
        #expect(find(router, "/s/") == "slash")
        #expect(find(router, "/s") == "none")
        #expect(find(router, "/p/") == "none")
    }

    @Test("optional and rest parameters also match nothing")
    func nothing() {
        let router = RouteTable([manifest("o", "/o/{id?}"), manifest("r", "/r/{path*}"), manifest("all", "/{path*}")])
        #expect(find(router, "/o") == "o")
        #expect(find(router, "/o/") == "o")
        #expect(find(router, "/o/5") == "o id=5")
        #expect(find(router, "/o/5/6") == "all path=o/5/6")
        #expect(find(router, "/r") == "r")
        #expect(find(router, "/r/") == "r path=")
        #expect(find(router, "/r/x/") == "r path=x/")
        #expect(find(router, "/") == "all")
    }

    @Test("a pattern that does not serve the method leaves the request to the next")
    func methods() {
        let router = RouteTable([
            manifest("post", "/x/y", ["POST"]), manifest("get", "/x/{z}", ["GET"]), manifest("any", "/any"),
            manifest("options", "/o", ["OPTIONS"]), manifest("head", "/h", ["HEAD"]), manifest("gets", "/h", ["GET"]),
        ])
        #expect(find(router, "/x/y", "POST") == "post")
        #expect(find(router, "/x/y", "GET") == "get z=y")
        #expect(find(router, "/x/y", "HEAD") == "get z=y")
        #expect(find(router, "/x/y", "PUT") == "GET,HEAD,OPTIONS,POST")
        #expect(find(router, "/any", "PROPFIND") == "any")
        #expect(find(router, "/any", "OPTIONS") == "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT")
        #expect(find(router, "/o", "OPTIONS") == "options")
        #expect(find(router, "/h", "HEAD") == "head")
        #expect(find(router, "/h", "GET") == "gets")
    }

    @Test("look-up visits as many nodes with 10,000 functions as with 10")
    func steps() throws {
        func visited(_ count: Int) throws -> [Int] {
            let manifests = (0..<count).flatMap { index in
                [manifest("f\(index)", "/f\(index)/{id}/items/{item?}"), manifest("g\(index)", "/g/{x}/f\(index)")]
            }
            let router = RouteTable(manifests)
            return try ["/f7/1/items/2", "/g/x/f9"].map { text in
                let path = try #require(RequestPath(text[...]))
                guard case .route(_, let visited) = router.find("GET", path) else { return 0 }
                return visited
            }
        }
        #expect(try visited(10) == visited(10_000))
        #expect(try visited(10) == [4, 4])
    }

    @Test("parameters are percent-decoded segment by segment")
    func decoding() {
        let router = RouteTable([manifest("p", "/p/{x}"), manifest("café", "/café"), manifest("r", "/r/{x*}")])
        #expect(find(router, "/p/a%20b") == "p x=a b")
        #expect(find(router, "/p/a%2Fb") == "p x=a/b")
        #expect(find(router, "/p/%E2%82%AC") == "p x=€")
        #expect(find(router, "/caf%C3%A9") == "café")
        #expect(find(router, "/r/a+b/%25") == "r x=a+b/%")
        #expect(find(router, "/r/a%2Fb//c/") == "r x=a/b//c/")
        #expect(find(router, "/%2Fp/x") == "none")
    }

    @Test(
        "paths that a handler could be tricked with are refused",
        arguments: [
            "/p/%", "/p/%4", "/p/%zz", "/p/%00", "/p/%C3%28", "/p/..", "/./p", "/p/%2e%2E/x", "/p/..%2Fetc", "/p/.",
            "/p/a%2f..%2fb", "p", "",
        ])
    func refused(path: String) {
        #expect(RequestPath(path[...]) == nil)
    }

    @Test("dots that lead nowhere are fine", arguments: ["/p/...", "/p/.well-known", "/p/a..b", "/p/a."])
    func dots(path: String) {
        #expect(RequestPath(path[...]) != nil)
    }
}
