import Events
import Foundation
import Testing

@testable import Workers

@Suite("JSON within JSON")
struct JSONTextTests {
    @Test(
        "is one value of RFC 8259",
        arguments: [
            "{}", "[]", "null", "true", "false", "0", "-0", "1.5e+3", "1E9", "-12.25e-1", "\"\"", "\"\\u00e9\\n\\\"\"",
            " { \"a\" : [ 1 , { } , \"b\" ] } \n", "[[[]]]", "{\"a\":{\"b\":null}}", "\"é😀\"",
        ])
    func valid(_ text: String) throws {
        #expect(JSONText.isValid(Array(text.utf8)))
        _ = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", " ", "{", "}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "tru", "truex", "nul",
            "01",
            "1.", ".5", "-", "+1", "1e", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\n\"", "[1 2]", "1 2", "[}",
            "{\"a\":1]", "'a'",
        ])
    func invalid(_ text: String) {
        #expect(!JSONText.isValid(Array(text.utf8)))
    }

    @Test("counts as none when it is nested too deeply to be read")
    func depth() {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(JSONText.isValid(nested(250)))
        #expect(!JSONText.isValid(nested(100_000)))
    }

    @Test(
        "is the data of an event as it stands where it is what it says, text where it says otherwise, base64 else",
        arguments: [
            ("application/json", "[1]", "\"data\":[1]"),
            ("application/json; charset=utf-8", "{", "\"data_base64\":\"ew==\""),
            ("text/plain", "{", "\"data\":\"{\""), ("application/problem+json", "{}", "\"data\":{}"),
        ])
    func events(type: String, data: String, expected: String) {
        let event = Event(
            id: "1", source: "/s", type: "t", time: WallTime(milliseconds: 0), dataContentType: type,
            data: Array(data.utf8))
        #expect(String(decoding: CloudEventJSON.line(event), as: UTF8.self).contains(expected))
    }
}
