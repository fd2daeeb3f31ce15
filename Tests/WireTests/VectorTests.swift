import Foundation
import Support
import Testing
import Wire

/// The test vectors of `docs/worker-protocol.md`, by name: fenced blocks of hexadecimal bytes with comments after `;`.
private let vectors = Result<[String: [UInt8]], any Error> {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("docs/worker-protocol.md"), encoding: .utf8)
    var vectors: [String: [UInt8]] = [:]
    var current: String?
    for line in text.split(separator: "\n") {
        if line.hasPrefix("```hex ") {
            current = String(line.dropFirst(7))
        } else if line.hasPrefix("```") {
            current = nil
        } else if let current {
            let bytes = line.prefix { $0 != ";" }.split(separator: " ")
            vectors[current, default: []] += try bytes.map { try #require(UInt8($0, radix: 16)) }
        }
    }
    return vectors
}

private let id = WireID(high: 0x019A_A3D8_6C00_7000, low: 0x8000_0000_0000_0001)

private let request = WireRequest(
    method: "POST", path: "/hello/Ada", query: "a=1", remoteAddress: "127.0.0.1:50000",
    parameters: [WireField("name", "Ada")], headers: [WireField("Host", "localhost")])

private let frames: [String: Frame] = [
    "hello": Frame(call: 0, .hello(Hello(version: 1, triggers: 3, sdk: "apus-swift/1"))),
    "welcome": Frame(call: 0, .welcome(Welcome(version: 1, concurrency: 4, window: 262_144, function: "hello"))),
    "call-http": Frame(
        call: 7,
        .call(
            CallHead(kind: .http, invocation: id, attempt: 1, time: 10_000_000, request: request),
            body: .bytes([0x68, 0x69]), end: true)),
    "call-timer": Frame(
        call: 8,
        .call(
            CallHead(
                kind: .timer, invocation: id, attempt: 2, time: 1_000_000,
                attributes: [WireField("type", "apus.timer.due")]),
            body: .bytes([]), end: true)),
    "call-state": Frame(
        call: 9,
        .call(
            CallHead(
                kind: .state, invocation: id, attempt: 1, time: 10_000_000,
                attributes: [
                    WireField("type", "apus.state.set"), WireField("subject", "entry/1"), WireField("version", "5"),
                    WireField("previous", "3"),
                ]),
            body: .bytes([0x68, 0x69]), end: true)),
    "cancel": Frame(call: 7, .cancel),
    "goodbye": Frame(call: 0, .goodbye),
    "fork": Frame(call: 0, .fork(number: 9, environment: [WireField("TMPDIR", "/tmp/a/9")])),
    "forked": Frame(call: 0, .forked(number: 9, process: 4711, reason: "")),
    "body": Frame(call: 7, .body(.bytes([UInt8]("more".utf8)), end: false)),
    "body-end": Frame(call: 7, .body(.bytes([]), end: true)),
    "credit": Frame(call: 7, .credit(131_072)),
    "reset": Frame(call: 7, .reset(reason: "gone")),
    "response": Frame(
        call: 7,
        .response(
            status: 200, headers: [WireField("Content-Type", "text/plain")],
            body: .bytes([UInt8]("Hello, Ada!\n".utf8)), end: true)),
    "response-begin": Frame(
        call: 7,
        .response(
            status: 200, headers: [WireField("Content-Type", "text/event-stream")], body: .bytes([]), end: false)),
    "acknowledge": Frame(call: 8, .acknowledge),
    "failure": Frame(call: 8, .failure(permanent: true, message: "no such table")),
    "log": Frame(call: 8, .log(level: 2, text: "signed", metadata: [WireField("name", "Ada")])),
    "state-get": Frame(call: 7, .state(request: 1, scope: 0, .get(key: "k"))),
    "state-set": Frame(call: 7, .state(request: 0, scope: 0, .set(key: "k", value: [0, 0xFF]))),
    "state-delete": Frame(call: 7, .state(request: 0, scope: 0, .delete(key: "k"))),
    "state-increment": Frame(call: 7, .state(request: 2, scope: 0, .increment(key: "n", by: -2))),
    "state-list-first": Frame(call: 7, .state(request: 3, scope: 0, .list(prefix: "", after: nil, limit: 1000))),
    "state-list": Frame(call: 7, .state(request: 3, scope: 0, .list(prefix: "p/", after: "p/1", limit: 100))),
    "state-found": Frame(
        call: 7,
        .state(request: 0, scope: 0, .found(key: "k", value: [UInt8]("text".utf8), version: 5, isRead: true))),
    "state-send": Frame(
        call: 7,
        .state(
            request: 5, scope: 0,
            .send(
                WireMessage(
                    target: "order.placed", after: 10_000, attributes: [WireField("subject", "42")],
                    data: [UInt8]("{}".utf8))))),
    "state-commit": Frame(call: 7, .state(request: 4, scope: 1, .commit)),
    "state-abandon": Frame(call: 7, .state(request: 0, scope: 1, .abandon)),
    "reply-value": Frame(call: 7, .stateReply(request: 1, .value([0x76]))),
    "reply-absent": Frame(call: 7, .stateReply(request: 1, .absent)),
    "reply-number": Frame(call: 7, .stateReply(request: 2, .number(40))),
    "reply-entries": Frame(
        call: 7, .stateReply(request: 3, .entries([WireEntry(key: "p/2", value: [0x78])], more: true))),
    "reply-done": Frame(call: 7, .stateReply(request: 4, .done)),
    "reply-conflict": Frame(call: 7, .stateReply(request: 4, .conflict)),
    "reply-failed": Frame(call: 7, .stateReply(request: 1, .failed(code: "invalid", message: "an empty key"))),
]

@Suite("The test vectors of docs/worker-protocol.md")
struct VectorTests {
    @Test("are all known")
    func names() throws {
        #expect(Set(try vectors.get().keys) == Set(frames.keys))
    }

    @Test("are what is encoded, and decode to what they stand for", arguments: frames.keys.sorted())
    func vector(_ name: String) throws {
        let bytes = try #require(try vectors.get()[name])
        let frame = try #require(frames[name])
        var writer = ByteWriter()
        frame.encode(into: &writer)
        #expect(writer.bytes == bytes)
        let (decoded, end) = try bytes.withUnsafeBytes { input in
            var offset = 0
            return (try Frame.decode(from: input, at: &offset)?.owned(input), offset)
        }
        #expect(decoded == frame)
        #expect(end == bytes.count)
    }
}
