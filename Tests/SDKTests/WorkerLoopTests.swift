import Apus
import Testing
import Wire

private struct Greeter: HTTPFunction {
    func respond(to request: HTTPRequest, in context: Context) async throws -> HTTPResponse {
        .text("Hello, \(request.parameters["name"] ?? "world")!\n")
    }
}

@Suite("A worker's connection", .timeLimit(.minutes(2)))
struct WorkerLoopTests {
    @Test("says hello with the triggers that the function serves")
    func hello() async throws {
        let host = FakeHost { Greeter() }
        let hello = await host.greet()
        #expect(hello?.version == 1)
        #expect(hello?.triggers == 0b1)
    }

    @Test("answers a request with one frame")
    func answer() async throws {
        let host = FakeHost { Greeter() }
        _ = await host.greet()
        host.get("/hello/Ada", parameters: [WireField("name", "Ada")])
        let answer = await host.next()
        #expect(
            answer
                == Frame(
                    call: 1,
                    .response(
                        status: 200, headers: [WireField("Content-Type", "text/plain; charset=utf-8")],
                        body: .bytes([UInt8]("Hello, Ada!\n".utf8)), end: true)))
    }
}
