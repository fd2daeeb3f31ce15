import Admin
import Events
import Manifests
import Telemetry
import Testing

@testable import CLI

@Suite struct OutputTests {
    @Test("columns are aligned, numbers at the right, without blanks at the end")
    func table() {
        var table = Table([.text("NAME"), .number("N"), .text("MORE")])
        table.add(["a", "100", "x"])
        table.add(["long-name", "2", ""])
        #expect(table.lines(colours: false) == ["NAME         N  MORE", "a          100  x", "long-name    2"])
        #expect(table.lines(colours: true)[0] == "\u{1B}[1mNAME         N  MORE\u{1B}[0m")
    }

    @Test("log lines are shown with their day; what is not one is shown as it is")
    func logs() {
        let line = LogLine(time: WallTime(milliseconds: 0), function: "a", worker: 7, message: "hello")
        let bytes = Array(line.json.utf8)
        #expect(LogsCommand.text(of: bytes, .plain) == "1970-01-01T00:00:00.000 INFO    a[7] hello")
        #expect(LogsCommand.text(of: bytes, .json) == line.json)
        #expect(LogsCommand.text(of: Array("odd".utf8), .plain) == "odd")
    }

    @Test("a problem becomes a sentence and an exit status")
    func problems() {
        let document = Array(
            Problem(status: 404, code: "not-found", title: "There is no such thing", detail: "no 'x'").json)
        let failure = Failure(status: 404, document: document, from: .standard)
        #expect(failure.description == "There is no such thing: no 'x'")
        #expect(failure.status == .noInput)
        #expect(Self.status(400, "other") == .data)
        #expect(Self.status(503, "other") == .temporary)
        #expect(Self.status(500, "other") == .software)
    }

    @Test(
        "what is no answer of the admin API is not taken for one, and where it is is told",
        arguments: [
            #"{"type":"urn:apus:problem:no-route","title":"Nothing is served at this path","status":404}"#,
            #"{"type":"urn:apus:problem:method-not-allowed","title":"The method is not served","status":405}"#,
            #"{"type":"about:blank","title":"Not Found"}"#, #"{"title":"Not Found"}"#, "<h1>Not Found</h1>", "",
        ])
    func strangers(document: String) {
        let address = AdminAddress(host: "127.0.0.1", port: 8080)
        let failure = Failure(status: 404, document: Array(document.utf8), from: address)
        #expect(failure.status == .unavailable)
        #expect(
            failure.description == """
                what answers on 127.0.0.1:8080 (with HTTP status 404) is not the admin API of a host; with --admin or \
                APUS_ADMIN, give the address that 'apus serve' has for it, by default 127.0.0.1:8081
                """)
    }

    @Test("what a function did wrong is no failure of the host")
    func functionFailures() {
        #expect(Self.status(500, "handler-failed") == .failed)
        #expect(Self.status(504, "timed-out") == .failed)
        #expect(Self.status(502, "worker-died") == .failed)
        #expect(Self.status(502, "contract-broken") == .failed)
        #expect(Self.status(409, "conflicted") == .temporary)
        #expect(Self.status(409, "known-event") == .data)
        #expect(Self.status(503, "too-many-waiting") == .temporary)
        #expect(Self.status(500, "internal") == .software)
    }

    /// That of a problem of the admin API.
    private static func status(_ http: Int, _ code: String) -> Failure.Status {
        let document = Problem(status: http, code: code, title: "").json
        return Failure(status: UInt(http), document: document, from: .standard).status
    }

    @Test("a check says how many functions and warnings there are")
    func checkSummary() {
        let warning = ManifestProblem(file: "inbox", message: "warning: empty")
        #expect(CheckCommand.summary(of: LoadResult()) == "0 functions, no problem")
        #expect(CheckCommand.summary(of: LoadResult(warnings: [warning])) == "0 functions, no problem, 1 warning")
    }

    @Test("nothing from outside steers the terminal")
    func controls() {
        #expect("a\u{1B}[2Jb\nc\td\u{7F}".printable() == "a␛[2Jb␊c␉d␡")
        #expect("\u{9B}31m".printable() == "\u{FFFD}31m")
        #expect("a\tb".printable(tabs: true) == "a\tb")
        #expect("Grüße, 日本 \u{A0}".printable() == "Grüße, 日本 \u{A0}")
        var table = Table([.text("KEY")])
        table.add(["\u{1B}]0;x\u{07}"])
        #expect(table.lines(colours: false) == ["KEY", "␛]0;x␇"])
        #expect(LogsCommand.text(of: Array("\u{1B}c".utf8), .plain) == "␛c")
    }

    @Test("a value is one line, however it looks")
    func values() {
        #expect(StateCommand.List.shown(.init(Array("a\nb\t".utf8))) == "a\\nb\\t")
        #expect(StateCommand.List.shown(.init([0, 1, 2])) == "(3 bytes)")
        #expect(StateCommand.List.shown(.init([0xFF])) == "(1 bytes)")
        #expect(StateCommand.List.shown(.init([0xC2, 0x9B, 0x32, 0x4A])) == "(4 bytes)")
        #expect(StateCommand.List.shown(.init(Array(repeating: 0x61, count: 300))).count == 200)
    }
}
