import Events
import Gateway
import Testing

@Suite struct ServingTests {
    @Test("a request is answered with what the function gives, and with the invocation's id")
    func answers() async throws {
        try await withGateway { world in
            let response = try await world.answer("GET /hello/Ada%20L?a=1&b=%20 HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(response.status == 200)
            #expect(response.headers.first("Parameters") == "name=Ada L")
            #expect(response.headers.first("Query") == "a=1&b=%20")
            #expect(response.headers.first("Server") == "apus")
            #expect(response.headers.first("Content-Length") == "0")
            #expect(response.headers.first("Connection") == nil)
            #expect(response.headers.first("Date")?.hasSuffix(" GMT") == true)
            #expect(InvocationID(response.headers.first("Apus-Invocation") ?? "") != nil)
        }
    }

    @Test("a connection serves many requests")
    func keepAlive() async throws {
        try await withGateway { world in
            let client = try world.client()
            for number in 0..<100 {
                try await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\(100 + number)")
                #expect(try await client.receive().text == "\(100 + number)")
            }
        }
    }
}
