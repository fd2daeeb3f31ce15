import Apus
import Support
import Testing
import Wire

@Suite("A call", .timeLimit(.minutes(2)))
struct CallTests {
    /// The worker's answer to a GET of `path`.
    private func answer(_ path: String, query: String = "") async -> Message? {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get(path, query: query)
        return await host.next()?.message
    }

    @Test("that throws is a failure with the error's words")
    func failure() async {
        #expect(await answer("/throw") == .failure(permanent: false, message: "Odd: Odd(reason: \"odd\")"))
        #expect(await answer("/permanent") == .failure(permanent: true, message: "no use"))
    }

    @Test("that throws an HTTPError is answered with it, and its writes are abandoned")
    func httpError() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/teapot")
        let type = WireField("Content-Type", "text/plain; charset=utf-8")
        #expect(await host.next()?.message == .state(request: 0, scope: 0, .abandon))
        #expect(
            await host.next()?.message
                == .response(
                    status: 418, headers: [type], body: .bytes([UInt8]("short and stout".utf8)), end: true))
    }

    @Test("with an impossible status is a failure")
    func status() async {
        #expect(
            await answer("/status")
                == .failure(permanent: true, message: "the handler answered with the status 99; it must be 200...599"))
    }

    @Test("comes back to the loop from another thread")
    func elsewhere() async {
        guard case .response(_, _, .bytes(let body), true) = await answer("/elsewhere") else {
            Issue.record("no answer")
            return
        }
        #expect(body == [UInt8]("back".utf8))
    }

    @Test("knows its context and its request")
    func context() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.request(
            "GET", "/context", query: "q=a+b%26&empty&bad=%zz", headers: [WireField("X-Name", "Ada")], body: [],
            end: true)
        let text = String(decoding: await host.next()?.bodyBytes ?? [], as: UTF8.self)
        #expect(
            text == """
                test 00000000-0000-0001-0000-000000000001 1 true 127.0.0.1:1 Ada bad=%zz;empty=;q=a b&
                """)
    }

    @Test("logs through the host")
    func log() async {
        #expect(
            await answer("/log") == .log(level: 4, text: "careful", metadata: [WireField("key", "value")]))
    }

    @Test("that logs faster than the host reads loses lines, which are counted")
    func chatter() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/chatter")
        var lines = 0
        while case .log = await host.next()?.message { lines += 1 }
        #expect((1..<1000).contains(lines))
        host.get("/log")
        let text = "\(1000 - lines) log lines dropped: the host did not keep up"
        #expect(await host.next() == Frame(call: 0, .log(level: 4, text: text, metadata: [])))
        #expect(await host.next()?.message == .log(level: 4, text: "careful", metadata: [WireField("key", "value")]))
    }

    @Test("that logs a very long line has it cut")
    func longLine() async {
        guard case .log(_, let text, _) = await answer("/long-log") else {
            Issue.record("no line")
            return
        }
        #expect(text == String(repeating: "x", count: 1 << 16) + "… (cut)")
    }

    @Test("of a timer is acknowledged, and a failed one reported")
    func timer() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.event(.timer, [WireField("id", "1"), WireField("time", "2026-01-01T00:00:00Z")])
        #expect(await host.next()?.message == .log(level: 2, text: "2026-01-01T00:00:00Z", metadata: []))
        #expect(await host.next() == Frame(call: 1, .acknowledge))
        host.event(.timer, [WireField("time", "never")])
        #expect(await host.next()?.message == .failure(permanent: false, message: "Odd: Odd(reason: \"odd\")"))
    }

    @Test("of a file knows its change")
    func file() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.event(.file, [WireField("type", "apus.file.moved"), WireField("path", "/in/a.csv")])
        #expect(await host.next()?.message == .log(level: 2, text: "moved /in/a.csv", metadata: []))
        #expect(await host.next()?.message == .acknowledge)
    }

    @Test("of an event that nobody serves is a permanent failure")
    func notServed() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.event(.state, [])
        #expect(
            await host.next()?.message
                == .failure(permanent: true, message: "this function does not adopt StateFunction"))
    }

    @Test("that is cancelled ends, and its task with it")
    func cancel() async {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get("/sleep", call: 1)
        host.request("POST", "/count", call: 2, body: [], end: false)
        host.get("/get", call: 3)
        guard case .state = await host.next()?.message else {
            Issue.record("no state request")
            return
        }
        for id: UInt32 in 1...3 {
            host.send(Frame(call: id, .cancel))
            #expect(
                await host.next()
                    == Frame(call: id, .failure(permanent: false, message: "CancellationError: CancellationError()")))
        }
    }
}
