import Events
import NIOCore
import Testing
import Workers

@Suite("What a Lambda function answers")
struct LambdaResponseTests {
    private func response(_ json: String) throws -> LambdaResponse { try LambdaResponse(ByteBuffer(string: json)) }

    private func text(_ json: String) throws -> String { String(buffer: try response(json).body) }

    @Test("is a response in API Gateway's format 2.0")
    func complete() throws {
        let response = try response(
            #"{"statusCode": 201, "headers": {"X-A": "1", "x-n": 2, "x-t": true, "x-none": null}, "#
                + #""cookies": ["a=b; Secure", "c=d"], "body": "hi"}"#)
        #expect(response.head.status == 201)
        #expect(response.head.headers.first("x-a") == "1" && response.head.headers.first("x-n") == "2")
        #expect(response.head.headers.first("x-t") == "true" && response.head.headers.first("x-none") == nil)
        #expect(response.head.headers.filter { $0.name == "set-cookie" }.map(\.value) == ["a=b; Secure", "c=d"])
        #expect(response.head.headers.first("content-type") == "application/json")
        #expect(String(buffer: response.body) == "hi")
    }

    @Test("may have a body in base64, and values of a header one by one")
    func base64() throws {
        let response = try response(
            #"{"statusCode": "200", "isBase64Encoded": true, "body": "/wA=", "headers": {"Vary": "x"}, "#
                + #""multiValueHeaders": {"vary": ["a", "b"]}}"#)
        #expect(response.body == ByteBuffer(bytes: [0xFF, 0x00]))
        #expect(response.head.headers.filter { $0.name.lowercased() == "vary" }.map(\.value) == ["a", "b"])
    }

    @Test(
        "is the body itself where it has no status",
        arguments: [
            (#"{"headers": [1], "x": 2}"#, #"{"headers": [1], "x": 2}"#), (#""Hello from ü""#, "Hello from ü"),
            ("[1, 2]", "[1, 2]"), ("null", "null"), ("1.5", "1.5"),
        ])
    func inferred(_ json: String, _ body: String) throws {
        let response = try response(json)
        #expect(response.head == ResponseHead(status: 200, headers: [HeaderField("content-type", "application/json")]))
        #expect(String(buffer: response.body) == body)
    }

    @Test(
        "is refused when it is no response",
        arguments: [
            "", "{", #"{"statusCode": 99}"#, #"{"statusCode": 700}"#, #"{"statusCode": "ok"}"#,
            #"{"statusCode": 200, "body": {"a": 1}}"#, #"{"statusCode": 200, "body": "?", "isBase64Encoded": true}"#,
            #"{"statusCode": 200, "headers": "x"}"#,
        ])
    func malformed(_ json: String) throws {
        let failure = #expect(throws: CallFailure.self) { try response(json) }
        #expect(failure?.code == .contractBroken)
    }

    @Test("leaves the length of the body and the connection to the host")
    func hopByHop() throws {
        let response = try response(
            #"{"statusCode": 200, "headers": {"Content-Length": "7", "Connection": "close", "content-type": "a/b"}}"#)
        #expect(response.head.headers == [HeaderField("content-type", "a/b")])
    }

    @Test("begins with its head when it is streamed, in whatever pieces that comes")
    func prelude() throws {
        let bytes = Array(#"{"statusCode": 202, "headers": {"a": "b"}}"#.utf8) + [UInt8](repeating: 0, count: 8)
        var prelude = ResponsePrelude(contentType: ResponsePrelude.contentType)
        for byte in bytes.dropLast() {
            let early = try prelude.take(ByteBuffer(bytes: [byte]))
            #expect(early == nil)
        }
        let taken = try prelude.take(ByteBuffer(bytes: [0] + Array("rest".utf8)))
        let (head, body) = try #require(taken)
        #expect(head.status == 202 && head.headers.first("a") == "b")
        #expect(String(buffer: body) == "rest")
        #expect(prelude.isOver)
    }

    @Test("is all body when it is streamed with another content type")
    func plainStream() throws {
        var prelude = ResponsePrelude(contentType: "text/event-stream")
        let taken = try prelude.take(ByteBuffer(string: "data: 1"))
        let (head, body) = try #require(taken)
        #expect(head == ResponseHead(status: 200, headers: [HeaderField("content-type", "text/event-stream")]))
        #expect(String(buffer: body) == "data: 1")
        let empty = try ResponsePrelude(contentType: nil).finish()
        #expect(empty.headers.first("content-type") == "application/octet-stream")
    }

    @Test("has a head that ends, and within bounds")
    func endlessPrelude() throws {
        var prelude = ResponsePrelude(contentType: ResponsePrelude.contentType)
        _ = try prelude.take(ByteBuffer(string: "{"))
        let ended = prelude
        #expect(throws: CallFailure.self) { try ended.finish() }
        #expect(throws: CallFailure.self) { _ = try prelude.take(ByteBuffer(repeating: 0x20, count: 1 << 20)) }
    }

    @Test("names its error by the type in the document before that in the header")
    func errors() {
        let payload = Array(#"{"errorType": "ValueError", "errorMessage": "no"}"#.utf8)
        #expect(FunctionError(type: "Unhandled", payload: payload).description == "ValueError: no")
        #expect(FunctionError(type: "Fatal", payload: []).type == "Fatal")
        #expect(FunctionError(type: nil, payload: [0xFF]).type == "Unhandled")
    }
}
