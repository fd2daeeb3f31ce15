import Events
import Gateway
import Testing

/// What the fields of a request mean for it.
@Suite struct RequestFieldsTests {
    func fields(_ list: [(String, String)]) -> RequestFields {
        var fields = RequestFields()
        for (name, value) in list { fields.add(name, value) }
        fields.finish()
        return fields
    }

    @Test("fields that Connection names are not forwarded, however many names and fields there are")
    func connectionFields() {
        let names = (0..<10_000).map { "x-\($0)" }
        let connection = (names + ["close", " x-missing "]).joined(separator: ", ")
        let all = names.map { ($0.uppercased(), "1") } + [("Kept", "1"), ("Connection", connection)]
        #expect(fields(all).forwarded == [HeaderField("Kept", "1")])
    }

    @Test(
        "a Host is a name or an address, and perhaps a port, which may be empty",
        arguments: ["", "a", "a:", "a:0", "a:65535", "127.0.0.1:8080", "[::1]", "[::1]:8080", ":80", "a_b.c-d"])
    func host(value: String) async throws {
        try await withGateway { world in
            let response = try await world.answer("GET /hello HTTP/1.1\r\nHost: \(value)\r\n\r\n")
            #expect(response.status == 200)
        }
    }

    @Test(
        "the connection stays as its version and its options say, whatever their case and spaces",
        arguments: [
            ([], false, true), ([], true, false), ([("Connection", "close")], false, false),
            ([("connection", "x, \tCLOSE ,")], false, false), ([("Connection", "Keep-Alive")], true, true),
            ([("Connection", "keep-alive"), ("Connection", "close")], true, false),
            ([("Connection", "closed")], false, true),
        ] as [([(String, String)], Bool, Bool)])
    func keepsAlive(list: [(String, String)], isOld: Bool, keeps: Bool) {
        #expect(fields(list).keepsAlive(isOld: isOld) == keeps)
    }
}
