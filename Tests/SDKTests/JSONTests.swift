import Apus
import ApusJSON
import ApusTesting
import Testing

private struct Order: Codable {
    struct Line: Codable {
        var price: Int
    }
    var lines: [Line]
}

private struct Orders: HTTPFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        let order = try await request.decode(Order.self, upTo: 100)
        try await context.state.set("order", to: order)
        let stored = try await context.state.get("order", as: Order.self)
        let listed = try await context.state.list().map { try $0.decode(Order.self) }
        return try .json([stored?.lines.count ?? 0, listed.count], status: 201)
    }
}

@Suite("JSON")
struct JSONTests {
    @Test("goes from a request through the state into a response")
    func roundTrip() async throws {
        let host = TestHost(Orders())
        let response = try await host.post("/", body: #"{"lines": [{"price": 1}, {"price": 2}], "more": true}"#)
        #expect(response.status == 201)
        #expect(response.headers["content-type"] == "application/json")
        #expect(response.text == "[2,1]\n")
        #expect(host.state == ["order": #"{"lines":[{"price":1},{"price":2}]}"#])
    }

    @Test(
        "that does not fit is answered with what is wrong and where",
        arguments: [
            ("{", "The body does not fit: it is not valid JSON.\n"),
            ("", "The body does not fit: it is not valid JSON.\n"),
            ("{}", "The body does not fit: 'lines' is missing.\n"),
            ("[]", "The body does not fit: '.' is not of the type Dictionary<String, Any>.\n"),
            (#"{"lines": null}"#, "The body does not fit: 'lines' must not be null (Array<Any>).\n"),
            (
                #"{"lines": [{"price": 1}, {"price": "2"}]}"#,
                "The body does not fit: 'lines[1].price' is not of the type Int.\n"
            ),
        ])
    func misfit(_ body: String, _ message: String) async throws {
        let response = try await TestHost(Orders()).post("/", body: body)
        #expect(response.status == 400)
        #expect(response.text == message)
    }

    @Test("that is too long is answered with 413")
    func tooLong() async throws {
        let body = String(repeating: " ", count: 101)
        #expect(try await TestHost(Orders()).post("/", body: body).status == 413)
    }
}
