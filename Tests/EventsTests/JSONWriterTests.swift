import Events
import Testing

@Suite("JSON that is written")
struct JSONWriterTests {
    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("commas stand between members and elements, and nowhere else")
    func commas() {
        let bytes = JSONWriter.object { json in
            json.field("none", object: { _ in })
            json.field(
                "list",
                array: { json in
                    json.array { _ in }
                    json.object { $0.field("a", 1) }
                    json.string("b")
                })
            json.field("is", true)
            json.name("as it stands")
            json.verbatim(Array("[null]".utf8))
            json.field("last", "")
        }
        #expect(
            Self.text(bytes)
                == #"{"none":{},"list":[[],{"a":1},"b"],"is":true,"as it stands":[null],"last":""}"#)
    }

    @Test(
        "a string escapes what it must, wherever that stands, and nothing else",
        arguments: [
            ("", ""), ("plain", "plain"), ("\"", #"\""#), ("a\\b", #"a\\b"#), ("\n\r\t", #"\n\r\t"#),
            ("\u{0}x\u{1F}", #"\u0000x\u001f"#), ("é \u{1F600} /", "é \u{1F600} /"), ("x\"\"", #"x\"\""#),
            ("seven..\"eight...\\\u{1}and on", #"seven..\"eight...\\\u0001and on"#),
        ])
    func escapes(text: String, escaped: String) {
        #expect(Self.text(JSONWriter.array { $0.string(text) }) == "[\"\(escaped)\"]")
    }

    @Test("what needs an escape is found wherever it stands in a text of any length")
    func escapesAnywhere() {
        for length in 1...40 {
            for place in 0..<length {
                let (before, after) = (
                    String(repeating: "x", count: place), String(repeating: "y", count: length - place - 1)
                )
                #expect(
                    Self.text(JSONWriter.array { $0.string(before + "\"" + after) }) == "[\"\(before)\\\"\(after)\"]")
            }
        }
    }

    @Test("a document may be of any length")
    func length() {
        let texts = (0..<300).map { String(repeating: "x", count: $0) }
        let bytes = JSONWriter.array { json in for text in texts { json.string(text) } }
        #expect(Self.text(bytes) == "[" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "]")
    }

    @Test("an id and a time are as people read them, and a line ends")
    func values() {
        let (id, time) = (InvocationID(), WallTime(milliseconds: 1_795_222_800_123))
        let line = JSONWriter.line { json in
            json.field("id", id)
            json.field("at", time)
            json.field("number", -7)
        }
        #expect(Self.text(line) == "{\"id\":\"\(id)\",\"at\":\"2026-11-21T01:00:00.123Z\",\"number\":-7}\n")
    }
}
