import ApusTesting
import Testing

@testable import Hello

@Suite("Hello")
struct HelloTests {
    @Test("greets by name, or the world")
    func greets() async throws {
        let host = TestHost(Hello())
        #expect(try await host.get("/hello/Ada", parameters: ["name": "Ada"]).text == "Hello, Ada!\n")
        #expect(try await host.get("/hello").text == "Hello, world!\n")
    }
}
