import Events
import Gateway
import NIOCore
import Testing

/// Bytes in, parts out.
@Suite struct RequestDecoderTests {
    /// A request as it was understood.
    struct Message: Equatable {
        var method = ""
        var target = ""
        var isOld = false
        var fields: [HeaderField] = []
        var body: [UInt8] = []
        var trailers: [HeaderField] = []
        var isComplete = false
    }

    /// What the decoder makes of bytes that come in these pieces, and the status of its refusal.
    static func decode(
        _ pieces: [[UInt8]], _ configuration: GatewayConfiguration = GatewayConfiguration()
    ) -> (messages: [Message], refusal: Int?) {
        var decoder = RequestDecoder(configuration)
        var input = ByteBuffer()
        var messages: [Message] = []
        do throws(Problem) {
            for piece in pieces {
                input.writeBytes(piece)
                while let part = try decoder.next(&input) {
                    switch part {
                    case .head(let head):
                        messages.append(
                            Message(
                                method: head.method, target: head.target, isOld: head.isOld,
                                fields: head.fields.forwarded))
                    case .body(let bytes): messages[messages.count - 1].body += Array(bytes.readableBytesView)
                    case .end(let trailers):
                        messages[messages.count - 1].trailers = trailers
                        messages[messages.count - 1].isComplete = true
                    }
                }
            }
        } catch {
            return (messages, error.status)
        }
        return (messages, nil)
    }

    static func decode(_ text: String) -> (messages: [Message], refusal: Int?) { decode([Array(text.utf8)]) }

    @Test("a request is read field by field, blanks around values left out")
    func reads() {
        let (messages, refusal) = Self.decode(
            "\r\nPUT /a?b=%20 HTTP/1.1\r\nHost: x:80\r\nX-Y:\t a \"b\" \t \r\nEmpty:\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\nGET /more"
        )
        #expect(refusal == nil)
        // An HTTP/1.0 client sends one request.
        #expect(messages.count == 2)
        #expect(
            messages.first
                == Message(
                    method: "PUT", target: "/a?b=%20",
                    fields: [
                        HeaderField("Host", "x:80"), HeaderField("X-Y", "a \"b\""), HeaderField("Empty", ""),
                        HeaderField("Content-Length", "3"),
                    ], body: Array("abc".utf8), isComplete: true))
        #expect(messages.last == Message(method: "GET", target: "/", isOld: true, isComplete: true))
    }

    @Test("a client that says the same again, or nearly the same, is read as one that says it for the first time")
    func repeats() {
        let heads = ["A: 1\r\n", "A: 1\r\n", "A: 2\r\n", "A: 2\r\nB: 3\r\n", "", "", "A: 2\r\n"]
        let text = heads.enumerated().map { index, head in
            "POST /\(index) HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\(head)\r\n\(index)"
        }
        let whole = Self.decode(text.joined())
        #expect(
            whole.messages.map { $0.fields.dropFirst(2).map(\.value) } == [
                ["1"], ["1"], ["2"], ["2", "3"], [], [], ["2"],
            ])
        // Of fields that come in pieces nothing is kept.
        let pieces = Self.decode(text.joined().utf8.map { [$0] })
        #expect(whole.messages == pieces.messages)
        #expect(whole.refusal == nil)
        // What an old client may leave out, a newer one may not.
        #expect(Self.decode("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n").refusal == 400)
    }

    @Test("chunks are put together, their extensions dropped and their trailers kept")
    func chunks() {
        let (messages, refusal) = Self.decode(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n00A;x;y=\"\\\";\"\r\n0123456789\r\n0\r\nSum: 1\r\n\r\n"
        )
        #expect(refusal == nil)
        #expect(messages.first?.body == Array("abc0123456789".utf8))
        #expect(messages.first?.trailers == [HeaderField("Sum", "1")])
        #expect(messages.first?.isComplete == true)
    }

    static let head = "POST / HTTP/1.1\r\nHost: x\r\n"

    @Test(
        "what could be read in two ways is refused",
        arguments: [
            ("bare LF after the line", "GET / HTTP/1.1\nHost: x\r\n\r\n"),
            ("bare LF after a field", "GET / HTTP/1.1\r\nHost: x\n\r\n"),
            ("bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n"),
            ("bare CR in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n"),
            ("folded field", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
            ("fold as the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
            ("blank before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
            ("blank in a name", "GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n"),
            ("no name", "GET / HTTP/1.1\r\nHost: x\r\n: c\r\n\r\n"),
            ("no colon", "GET / HTTP/1.1\r\nHost: x\r\nabc\r\n\r\n"),
            ("tab at the end", "GET / HTTP/1.1\r\nHost: x\r\nA: b\t\r\n\r\n"),
            ("framing in a trailer", head + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n"),
            ("NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n"),
            ("two blanks in the line", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("blank in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("blank behind the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
            ("blank before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("tab in the line", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("control character in the target", "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("no version", "GET /\r\nHost: x\r\n\r\n"),
            ("version in small letters", "GET / http/1.1\r\nHost: x\r\n\r\n"),
            ("method in small letters", "get / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("two lengths", head + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
            ("list of lengths", head + "Content-Length: 1,1\r\n\r\na"),
            ("signed length", head + "Content-Length: +1\r\n\r\na"),
            ("hexadecimal length", head + "Content-Length: 0x1\r\n\r\na"),
            ("no length", head + "Content-Length:\r\n\r\n"),
            ("too great a length", head + "Content-Length: 9223372036854775808\r\n\r\n"),
            ("length and chunks", head + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("length and a coding that says nothing", head + "Content-Length: 0\r\nTransfer-Encoding:\r\n\r\n"),
            ("chunked twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("chunked, and more", head + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
            ("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("chunk size that is none", head + "Transfer-Encoding: chunked\r\n\r\ng\r\n"),
            ("chunk size with a prefix", head + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
            ("chunk size behind a blank", head + "Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n"),
            ("chunk extension that is none", head + "Transfer-Encoding: chunked\r\n\r\n1;e/\r\na\r\n0\r\n\r\n"),
            ("quotes without an end", head + "Transfer-Encoding: chunked\r\n\r\n1;e=\"\r\na\r\n0\r\n\r\n"),
            ("fragment in the target", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("target without a slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("another scheme", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("user in the target", "GET http://me@x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("no chunk size", head + "Transfer-Encoding: chunked\r\n\r\n;a\r\n"),
            ("too great a chunk size", head + "Transfer-Encoding: chunked\r\n\r\n1000000000000000\r\n"),
            ("bare LF behind a chunk size", head + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"),
            ("bare CR in a chunk extension", head + "Transfer-Encoding: chunked\r\n\r\n1;\ra\r\na\r\n0\r\n\r\n"),
            ("chunk longer than its size", head + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
            ("bare LF behind a chunk", head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n"),
            ("folded trailer", head + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n"),
            ("no host", "GET / HTTP/1.1\r\n\r\n"), ("two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
        ])
    func refuses(what: String, request: String) {
        let (messages, refusal) = Self.decode(request)
        #expect(refusal == 400, "\(what)")
        #expect(!messages.contains { $0.isComplete }, "\(what)")
    }

    @Test(
        "codings that nobody knows are not implemented",
        arguments: ["gzip", "gzip, chunked", "identity", "chu nked", "\"chunked\"", ""])
    func codings(coding: String) {
        #expect(Self.decode(Self.head + "Transfer-Encoding: \(coding)\r\n\r\n0\r\n\r\n").refusal == 501)
    }

    @Test("too much of a head is refused before it is all there, and nothing is decoded after a refusal")
    func limits() {
        var configuration = GatewayConfiguration()
        (configuration.requestLine, configuration.headerBytes, configuration.headerFields) = (100, 200, 5)
        func refusal(_ text: String) -> Int? { Self.decode([Array(text.utf8)], configuration).refusal }
        let long = String(repeating: "a", count: 300)
        #expect(refusal("GET /\(long)") == 414)
        #expect(refusal("GET / HTTP/1.1\r\nA: \(long)") == 431)
        #expect(refusal("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 6)) == 431)
        let chunked = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(refusal(chunked + "0\r\n" + String(repeating: "A: b\r\n", count: 4)) == 431)
        #expect(refusal(chunked + "1;" + String(repeating: "a", count: 5000)) == 400)
        #expect(refusal(chunked + "1\r\na" + String(repeating: "b", count: 5000)) == 400)
        let after = Self.decode("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(after.refusal == 400)
        #expect(after.messages.isEmpty)
    }

    @Test(
        "what comes behind the last request is dropped, however much it is",
        arguments: ["GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"])
    func surplus(last: String) throws {
        var decoder = RequestDecoder(GatewayConfiguration())
        var input = ByteBuffer(string: last)
        while try decoder.next(&input) != nil {}
        #expect(!decoder.hasSurplus)
        input.writeString("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try decoder.next(&input) == nil)
        #expect(decoder.hasSurplus && input.readableBytes == 0)
    }
}
