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
