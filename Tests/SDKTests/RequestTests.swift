import Apus
import ApusTesting
import Testing

/// Says what it sees of its request, and of a copy that it has changed.
private struct Parts: HTTPFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        var changed = request
        changed.path = "/changed"
        changed.headers["X-Name"] = "Grace"
        changed.parameters["first"] = "z"
        let fields = request.headers.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        return .text(
            """
            \(line(request)) [\(fields)] \(request.headers.count) \(request.headers[1].value)
            \(request.headers["x-NAME"] ?? "-") \(request.headers["x-nam"] ?? "-") \(request.headers.all("x-name"))
            \(request.parameters.sorted { $0.key < $1.key }.map(\.value)) \(request.headers == changed.headers)
            \(request.parameters["second"] ?? "-") \(request.parameters["sec"] ?? "-") \(request.parameters["sEcond"] ?? "-")
            \(line(changed)) \(changed.headers.all("X-Name")) \(changed.headers["Accept"] ?? "-")
            \(changed.parameters == ["first": "z", "second": "b"]) \(changed.parameters == request.parameters)
            """)
    }

    private func line(_ request: HTTPRequest) -> String {
        "\(request.method) \(request.path)?\(request.query) \(request.remoteAddress)"
    }
}

@Suite("A request")
struct RequestTests {
    @Test("has the parts that came, and can be changed")
    func parts() async throws {
        var headers: HTTPHeaders = ["X-Name": "Ada", "Accept": "text/plain"]
        headers.add("x-name", "Bob")
        let response = try await TestHost(Parts()).send(
            "PUT", "/a/b?c=d", parameters: ["first": "a", "second": "b"], headers: headers)
        #expect(
            response.text == """
                PUT /a/b?c=d 127.0.0.1:49152 [X-Name=Ada,Accept=text/plain,x-name=Bob] 3 text/plain
                Ada - ["Ada", "Bob"]
                ["a", "b"] false
                b - -
                PUT /changed?c=d 127.0.0.1:49152 ["Grace"] text/plain
                true false
                """)
    }
}
