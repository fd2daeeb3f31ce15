import Apus
import Support
import Testing
import Wire

@Suite("A worker's connection", .timeLimit(.minutes(2)))
struct ConnectionTests {
    @Test("says hello with the triggers that the function serves")
    func hello() async {
        let host = FakeHost { Probe() }
        let hello = await host.greet()
        let abilities = Hello.canShare | Hello.canLookUp | Hello.canTakeAhead
        #expect(hello == Hello(version: 1, triggers: 0b111 | abilities, sdk: "apus-swift/1"))
    }

    @Test("ends when the host says goodbye, after the calls that run")
    func goodbye() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.request("POST", "/count", body: [1], end: false)
        host.send(Frame(call: 0, .goodbye))
        host.send(Frame(call: 1, .body(.bytes([2, 3]), end: true)))
        #expect(await host.next()?.bodyBytes == [UInt8]("3".utf8))
        #expect(await host.ending() == .goodbye)
    }

    @Test("ends when the host has gone, though calls run")
    func hostGone() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/sleep")
        host.hangUp()
        #expect(await host.ending() == .hostGone)
    }

    @Test(
        "ends on bytes that are no frames",
        arguments: [
            [UInt8](repeating: 0xFF, count: 64), [1, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 0x11, 0, 0, 0, 1, 0, 0, 0, 0],
        ])
    func garbage(_ bytes: [UInt8]) async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.sendRaw(bytes)
        guard case .violation = await host.ending() else {
            Issue.record("the worker took garbage for frames")
            return
        }
    }

    @Test("ends on frames that a host must not send")
    func violations() async {
        let welcome = Frame(call: 0, .welcome(Welcome(concurrency: 1, window: 10, function: "f")))
        let body = Message.body(.bytes([UInt8](repeating: 1, count: 11)), end: false)
        let wrong: [[Frame]] = [
            [welcome], [Frame(call: 0, .acknowledge)],
            [call(1), call(1)], [call(1), call(2)], [call(0)], [call(1), Frame(call: 1, body)],
        ]
        for frames in wrong {
            let host = FakeHost { Probe() }
            _ = await host.greet(concurrency: 1, window: 10)
            for frame in frames { host.send(frame) }
            guard case .violation = await host.ending() else {
                Issue.record("the worker accepted \(frames.map(\.message))")
                continue
            }
        }
    }

    private func call(_ id: UInt32) -> Frame {
        let request = WireRequest(
            method: "GET", path: "/count", query: "", remoteAddress: "", parameters: [], headers: [])
        let head = CallHead(
            kind: .http, invocation: WireID(high: 0, low: 0), attempt: 1, time: 1_000_000, request: request)
        return Frame(call: id, .call(head, body: .bytes([]), end: false))
    }

    @Test("refuses a host of another protocol version")
    func version() async {
        let host = FakeHost { Probe() }
        _ = await host.next()
        host.send(Frame(call: 0, .welcome(Welcome(version: 2, concurrency: 1, window: 10, function: "f"))))
        #expect(await host.ending() == .violation("protocol version 2; this SDK speaks 1"))
    }

    @Test("ignores frames of calls that are over")
    func lateFrames() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/log", call: 1)
        _ = await host.next()
        _ = await host.next()
        host.send(
            Frame(call: 1, .credit(5)), Frame(call: 1, .cancel), Frame(call: 1, .body(.bytes([1]), end: true)),
            Frame(call: 1, .reset(reason: "late")), Frame(call: 9, .stateReply(request: 1, .done)))
        host.get("/throw", call: 1)
        #expect(await host.next()?.message == .failure(permanent: false, message: "Odd: Odd(reason: \"odd\")"))
    }

    @Test("takes frames that arrive byte by byte")
    func trickle() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        var writer = ByteWriter()
        call(1).encode(into: &writer)
        Frame(call: 1, .body(.bytes([1, 2]), end: true)).encode(into: &writer)
        for byte in writer.bytes { host.sendRaw([byte]) }
        #expect(await host.next()?.bodyBytes == [UInt8]("2".utf8))
    }

    @Test("interleaves many calls")
    func interleaved() async {
        let host = FakeHost { Probe() }
        _ = await host.greet(concurrency: 500)
        for id in 1...500 { host.request("POST", "/count", call: UInt32(id), body: [1], end: false) }
        for id in (1...500).reversed() { host.send(Frame(call: UInt32(id), .body(.bytes([2]), end: true))) }
        var answered: Set<UInt32> = []
        for _ in 1...500 {
            guard let frame = await host.next() else { break }
            #expect(frame.bodyBytes == [UInt8]("2".utf8))
            answered.insert(frame.call)
        }
        #expect(answered.count == 500)
    }
}
