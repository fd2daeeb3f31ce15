import Events
import Gateway
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

/// Compares with another's reading of HTTP: NIO's decoder, which stands on Node's.
@Suite struct RequestDecoderFuzzTests {
    typealias Message = RequestDecoderTests.Message

    @Test("however a stream is cut, and whatever is in it, it is read the same", arguments: 0..<8)
    func cuts(seed: UInt64) {
        var stream = MessyRequests(seed: seed)
        for _ in 0..<2000 {
            let bytes = stream.next()
            let whole = RequestDecoderTests.decode([bytes])
            let cut = RequestDecoderTests.decode(stream.cut(bytes))
            #expect(whole.messages == cut.messages)
            #expect(whole.refusal == cut.refusal)
            if whole.messages != cut.messages || whole.refusal != cut.refusal {
                Issue.record("\(String(decoding: bytes, as: UTF8.self).debugDescription)")
                return
            }
        }
    }

    @Test("every request that is taken, NIO's decoder takes for the same", arguments: 8..<16)
    func agrees(seed: UInt64) throws {
        var stream = MessyRequests(seed: seed)
        var taken = 0
        for _ in 0..<2000 {
            let bytes = stream.next()
            let ours = RequestDecoderTests.decode([bytes]).messages.filter(\.isComplete)
            guard !ours.isEmpty else { continue }
            taken += ours.count
            let theirs = try Self.reference(bytes)
            guard zip(ours, theirs).allSatisfy(Self.same), ours.count <= theirs.count else {
                Issue.record("\(String(decoding: bytes, as: UTF8.self).debugDescription): \(ours), \(theirs)")
                return
            }
        }
        // The mutations leave enough that is valid to compare.
        #expect(taken > 500)
    }

    /// `theirs` has all fields; ours, those that go to the function.
    private static func same(_ ours: Message, _ theirs: Message) -> Bool {
        var rest = theirs.fields[...]
        for field in ours.fields {
            guard let index = rest.firstIndex(of: field) else { return false }
            rest = rest[(index + 1)...]
        }
        return ours.method == theirs.method && ours.target == theirs.target && ours.isOld == theirs.isOld
            && ours.body == theirs.body && ours.trailers == theirs.trailers
    }

    private static func reference(_ bytes: [UInt8]) throws -> [Message] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        var messages: [Message] = []
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                messages.append(
                    Message(
                        method: head.method.rawValue, target: head.uri, isOld: head.version.minor == 0,
                        fields: fields(head.headers)))
            case .body(let bytes): messages[messages.count - 1].body += Array(bytes.readableBytesView)
            case .end(let trailers):
                messages[messages.count - 1].trailers = fields(trailers ?? [:])
                messages[messages.count - 1].isComplete = true
            }
        }
        return messages
    }

    private static func fields(_ headers: HTTPHeaders) -> [HeaderField] {
        headers.map { name, value in
            let blanks: Set<Character> = [" ", "\t"]
            let value = value.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed()
            return HeaderField(name, String(value))
        }
    }
}

/// Requests one after the other, most of them with something wrong somewhere.
private struct MessyRequests {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private static let requests = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /hello/Ada%20L?q=1&r HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\nX-Long:  \t a  b \t \r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close, x\r\nX: 1\r\n\r\nabcde",
        "PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n1;e=f\r\nz\r\n0\r\n\r\n",
        "POST /c HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailing: t\r\n\r\n",
        "HEAD http://example.com/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
    ]

    private static let pieces = [
        "\r", "\n", "\r\n", " ", "\t", ":", "\0", "\u{7F}", "\u{e9}", ";", ",", "0", "1", "a", "\r\n\r\n", "HTTP/1.1",
        "Content-Length: 3\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Host: y\r\n", "\r\n ", "#",
        "GET / HTTP/1.1\r\n", "chunked", "+", "-", "\"", "0x", "%", "?", "/",
    ]

    private mutating func random(_ limit: Int) -> Int {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ (value >> 31)) % UInt64(limit))
    }

    mutating func next() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...random(3) { bytes += Array(Self.requests[random(Self.requests.count)].utf8) }
        for _ in 0..<random(4) {
            let place = random(bytes.count)
            let end = min(bytes.count, place + random(3))
            bytes.replaceSubrange(place..<end, with: Array(Self.pieces[random(Self.pieces.count)].utf8))
        }
        return bytes
    }

    mutating func cut(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + random(9))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
