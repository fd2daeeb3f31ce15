import Events
import NIOCore
import Testing
import Workers

@Suite("The header of a CGI response")
struct CGIResponseTests {
    /// What `text` is read as, and what of it is left for the body.
    private func read(_ text: String) throws -> (ProgramHead?, rest: String) {
        var reader = CGIHeadReader()
        var output = ByteBuffer(string: text)
        let head = try reader.read(&output, isWhole: true)
        return (head, String(buffer: output))
    }

    private func failure(_ text: String) -> String {
        do {
            _ = try read(text)
            return "no failure"
        } catch let failure as CallFailure {
            #expect(failure.code == .contractBroken)
            return failure.message
        } catch {
            return "\(error)"
        }
    }

    private func response(_ status: Int, _ fields: HeaderField..., streams: Bool = false) -> ProgramHead {
        .response(ResponseHead(status: status, headers: fields), streams: streams)
    }

    @Test("is a document with status 200 when it says no other")
    func document() throws {
        let (head, rest) = try read("Content-Type: text/html\n\n<p>\n\n")
        #expect(head == response(200, HeaderField("Content-Type", "text/html")))
        #expect(rest == "<p>\n\n")
    }

    @Test("ends its lines with LF or CR LF")
    func lineEnds() throws {
        let (head, rest) = try read("Content-Type: text/html\r\nX-One: 1\n\r\nbody\r\n")
        #expect(head == response(200, HeaderField("Content-Type", "text/html"), HeaderField("X-One", "1")))
        #expect(rest == "body\r\n")
    }

    @Test("names a status, with or without a phrase", arguments: ["404", "404 Not Found", "404 "])
    func status(_ value: String) throws {
        #expect(try read("Status: \(value)\n\n").0 == response(404))
    }

    @Test("has names in any case, keeps unknown ones, and drops those for servers")
    func names() throws {
        let text = "STATUS: 201 Made\ncontent-type:text/plain\nFoo: a: b \t\nX-CGI-Timeout: 1\nFoo: c\n\n"
        let expected = response(
            201, HeaderField("content-type", "text/plain"), HeaderField("Foo", "a: b"), HeaderField("Foo", "c"))
        #expect(try read(text).0 == expected)
    }

    @Test("takes an empty value for a field that is not there")
    func emptyValue() throws {
        #expect(
            try read("Content-Type: a/b\nFoo:\nStatus: \n\n").0 == response(200, HeaderField("Content-Type", "a/b")))
        #expect(failure("Content-Type:\n\n").contains("neither Content-Type nor Location nor Status"))
    }

    @Test("redirects the client with 302, unless it says another status")
    func clientRedirect() throws {
        let location = HeaderField("Location", "https://example.org/a#b")
        #expect(try read("Location: https://example.org/a#b\n\n").0 == response(302, location))
        #expect(try read("Status: 308 Gone there\nLocation: https://example.org/a#b\n\n").0 == response(308, location))
        let (head, rest) = try read("Location: https://example.org/a#b\nContent-Type: a/b\n\ndocument")
        #expect(head == response(302, location, HeaderField("Content-Type", "a/b")))
        #expect(rest == "document")
    }

    @Test("redirects within the host when a path is all that it says")
    func localRedirect() throws {
        #expect(try read("Location: /other?x=1&y=%20\n\n").0 == .redirect("/other?x=1&y=%20"))
        #expect(try read("location:/\r\n\r\n").0 == .redirect("/"))
    }

    @Test(
        "leaves a path to the client that no server can follow, or that comes with more",
        arguments: ["//example.org/a", "/a#part", "/a b", "a/b"])
    func pathForClient(_ location: String) throws {
        #expect(try read("Location: \(location)\n\n").0 == response(302, HeaderField("Location", location)))
        let cookie = HeaderField("Set-Cookie", "a=b")
        #expect(try read("Location: /a\nSet-Cookie: a=b\n\n").0 == response(302, HeaderField("Location", "/a"), cookie))
    }

    @Test("says when its body must not wait")
    func streams() throws {
        let events = HeaderField("Content-Type", "Text/Event-Stream; charset=utf-8")
        #expect(try read("Content-Type: \(events.value)\n\n").0 == response(200, events, streams: true))
        let unbuffered = HeaderField("X-Accel-Buffering", "no")
        #expect(
            try read("Content-Type: a/b\nX-Accel-Buffering: no\n\n").0
                == response(200, HeaderField("Content-Type", "a/b"), unbuffered, streams: true))
    }

    @Test(
        "is refused, with what is wrong",
        arguments: [
            ("", "the program printed nothing"),
            ("Content-Type: a/b\n", "ended before the empty line"),
            ("hello", "ended before the empty line"),
            ("hello\n\n", "line 1 is no 'Name: value', but 'hello'"),
            ("\nhello", "neither Content-Type nor Location nor Status"),
            ("Foo: bar\n\n", "neither Content-Type nor Location nor Status"),
            ("HTTP/1.1 200 OK\nContent-Type: a/b\n\n", "NPH script; begin with 'Status: 200 OK'"),
            ("Content-Type: a/b\n  ;c=d\n\n", "line 2 continues the one before"),
            ("Content-Type : a/b\n\n", "line 1 is no header field that HTTP has: 'Content-Type : a/b'"),
            ("Content-Type: a\u{1}b\n\n", "line 1 is no header field"),
            (": a\n\n", "line 1 is no header field"),
            ("Status: 200\nStatus: 404\n\n", "more than one Status"),
            ("Location: /a\nLocation: /b\n\n", "more than one Location"),
            ("Content-Type: a/b\ncontent-type: c/d\n\n", "more than one Content-Type"),
            ("Status: OK\n\n", "its Status is 'OK'"),
            ("Status: 101 Switching\n\n", "its Status is '101 Switching'"),
            ("Status: 2000\n\n", "its Status is '2000'"),
            ("Status: +20\n\n", "its Status is '+20'"),
        ])
    func malformed(text: String, problem: String) {
        let message = failure(text)
        #expect(message.contains(problem), "\(message)")
    }

    @Test("is the same when it comes byte by byte")
    func bytes() throws {
        let text = "Status: 202 Taken\r\nContent-Type: text/plain\nX-A: \u{FC}\r\n\r\nbody\n\n"
        let whole = try read(text)
        var reader = CGIHeadReader()
        var output = ByteBuffer()
        var head: ProgramHead?
        for byte in text.utf8 {
            output.writeInteger(byte)
            if head == nil { head = try reader.read(&output, isWhole: false) }
        }
        #expect(head == whole.0)
        #expect(String(buffer: output) == whole.rest)
    }

    @Test("is refused at 64 KiB, whether its lines end or not")
    func limit() {
        let line = "X-Field: \(String(repeating: "x", count: 1000))\n"
        #expect(failure(String(repeating: line, count: 70)).contains("longer than 64 KiB"))
        #expect(failure(String(repeating: "x", count: 70_000)).contains("longer than 64 KiB"))
        #expect(failure("Content-Type: a/b\n" + String(repeating: line, count: 60) + "\n").contains("no failure"))
    }

    @Test("is refused as soon as it is too long, not at its end")
    func earlyLimit() {
        var reader = CGIHeadReader()
        var output = ByteBuffer(repeating: UInt8(ascii: "x"), count: 70_000)
        #expect(throws: CallFailure.self) { try reader.read(&output, isWhole: false) }
    }
}
