import Events
import Logging
import Telemetry
import Testing

@Suite struct LogLineTests {
    static let line = LogLine(
        time: WallTime(milliseconds: 1_795_204_800_123), level: .warning, function: "orders", worker: 4242,
        invocation: "0198c0de-0000-7000-8000-000000000000", source: .stderr, message: "a \"quote\"\nand \u{1B} more",
        metadata: [HeaderField("key", "va\\lue")])

    @Test("a line is one JSON object with its keys in a fixed order")
    func json() {
        #expect(
            Self.line.json == """
                {"time":"2026-11-20T20:00:00.123Z","level":"warning","source":"stderr","function":"orders",\
                "worker":4242,"invocation":"0198c0de-0000-7000-8000-000000000000",\
                "message":"a \\"quote\\"\\nand \\u001b more","metadata":{"key":"va\\\\lue"}}
                """)
    }

    @Test("what was written is read back", arguments: [line, LogLine(time: WallTime(milliseconds: 0), message: "")])
    func roundTrip(line: LogLine) {
        #expect(LogLine(json: Array(line.json.utf8)) == line)
    }

    @Test(
        "half a line is no line",
        arguments: ["", "{", "{}", #"{"time":"2026-11-20T20:00:00.123Z","level":"warning","source":"stderr","mess"#])
    func broken(text: String) {
        #expect(LogLine(json: Array(text.utf8)) == nil)
    }

    @Test("a loud console line has colours, a plain one has none, and neither passes control characters on")
    func console() {
        #expect(
            Console.Format.plain.text(of: Self.line)
                == "20:00:00.123 WARNING orders[4242] a \"quote\"\u{240A}and \u{241B} more key=va\\lue")
        let pretty = Console.Format.pretty.text(of: Self.line)
        #expect(pretty.contains("\u{1B}[33mWARNING\u{1B}[0m"))
        #expect(!pretty.contains("\u{1B} more"))
        #expect(Console.Format.json.text(of: Self.line) == Self.line.json)
    }
}
