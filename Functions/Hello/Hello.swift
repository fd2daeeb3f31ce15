import Apus

@main
struct Hello: HTTPFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        .text("Hello, \(request.parameters["name"] ?? "world")!\n")
    }
}
