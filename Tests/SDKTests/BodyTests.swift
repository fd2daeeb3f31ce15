import Apus
import Support
import Testing
import Wire

@Suite("Bodies", .timeLimit(.minutes(2)))
struct BodyTests {
    @Test("a body that is too long or not text is refused")
    func limits() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.request("POST", "/short", body: [UInt8]("12345".utf8), end: true)
        host.request("POST", "/short", call: 2, body: [0xFF], end: true)
        for text in ["The body is longer than 4 bytes.\n", "The body is not UTF-8 text.\n"] {
            #expect(await host.next()?.message == .state(request: 0, scope: 0, .abandon))
            #expect(await host.next()?.bodyBytes == [UInt8](text.utf8))
        }
    }

    @Test("a reader grants credit as it reads, and only then")
    func requestCredit() async {
        let host = FakeHost { Probe() }
        _ = await host.greet(window: 100)
        host.request("POST", "/count", body: [UInt8](repeating: 1, count: 100), end: false)
        #expect(await host.next() == Frame(call: 1, .credit(100)))
        host.send(Frame(call: 1, .body(.bytes([UInt8](repeating: 1, count: 100)), end: true)))
        #expect(await host.next()?.bodyBytes == [UInt8]("200".utf8))
    }

    @Test("a long response waits for credit")
    func responseCredit() async {
        let host = FakeHost { Probe() }
        _ = await host.greet(window: 50_000)
        host.get("/large")
        var received = 0
        while let frame = await host.next() {
            received += frame.bodyBytes.count
            if case .body(_, end: true) = frame.message { break }
            host.send(Frame(call: 1, .credit(UInt32(frame.bodyBytes.count))))
        }
        #expect(received == 200_000)
    }

    @Test("a writer that is faster than its client waits")
    func backPressure() async {
        let host = FakeHost { Probe() }
        _ = await host.greet(window: 10)
        host.get("/flood", call: 1)
        var received = 0
        while received < 10, let frame = await host.next() { received += frame.bodyBytes.count }
        // The answer to another call shows that the flood had its turn and sent nothing more.
        host.get("/elsewhere", call: 2)
        #expect(await host.next()?.call == 2)
        host.send(Frame(call: 1, .credit(2)))
        #expect(await host.next() == Frame(call: 1, .body(.bytes([3, 4]), end: false)))
        host.send(Frame(call: 1, .cancel))
        #expect(await host.next() == Frame(call: 1, .reset(reason: "CancellationError: CancellationError()")))
    }

    @Test("stream both ways at once")
    func echo() async {
        let host = FakeHost { Probe() }
        _ = await host.greet(window: 1 << 10)
        host.request("POST", "/echo", body: [0], end: false)
        guard case .response(200, _, _, end: false) = await host.next()?.message else {
            Issue.record("the response did not begin before the request had ended")
            return
        }
        for byte in UInt8(0)...9 {
            #expect(await host.next() == Frame(call: 1, .body(.bytes([byte]), end: false)))
            host.send(Frame(call: 1, .body(.bytes([byte + 1]), end: byte == 9)))
        }
        #expect(await host.next() == Frame(call: 1, .body(.bytes([10]), end: false)))
        #expect(await host.next() == Frame(call: 1, .body(.bytes([]), end: true)))
    }

    @Test("a client that goes away in the middle of its body fails the reader")
    func reset() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.request("POST", "/count", body: [1], end: false)
        host.send(Frame(call: 1, .reset(reason: "the client went away")))
        #expect(await host.next()?.message == .failure(permanent: false, message: "the client went away"))
    }

    @Test("a stream that throws is cut off")
    func half() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/half")
        _ = await host.next()
        #expect(await host.next()?.bodyBytes == [UInt8]("half".utf8))
        #expect(await host.next()?.message == .reset(reason: "Odd: Odd(reason: \"odd\")"))
    }

    @Test("nothing follows the end of a stream, though a task of the handler goes on")
    func leak() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/leak", call: 1)
        while let frame = await host.next() {
            if case .body(_, end: true) = frame.message { break }
        }
        for call: UInt32 in 2...20 {
            host.get("/elsewhere", call: call)
            #expect(await host.next()?.call == call)
        }
    }
}
