import Apus
import Support
import Testing
import Wire

@Suite("State over the connection", .timeLimit(.minutes(2)))
struct StateFrameTests {
    private func host(_ path: String) async -> FakeHost {
        let host = FakeHost { Probe() }
        _ = await host.greet()
        host.get(path)
        return host
    }

    private func text(_ text: String) -> Message {
        .response(
            status: 200, headers: [WireField("Content-Type", "text/plain; charset=utf-8")],
            body: .bytes([UInt8](text.utf8)), end: true)
    }

    private func reply(_ request: UInt32, _ reply: StateReply) -> Frame {
        Frame(call: 1, .stateReply(request: request, reply))
    }

    @Test("a read waits for its reply")
    func read() async {
        let host = await host("/get")
        #expect(await host.next()?.message == .state(request: 1, scope: 0, .get(key: "k")))
        host.send(reply(1, .value([UInt8]("v".utf8))))
        #expect(await host.next()?.message == text("v"))
        host.get("/get")
        _ = await host.next()
        host.send(reply(1, .absent))
        #expect(await host.next()?.message == text("none"))
    }

    @Test("writes wait for none")
    func writes() async {
        let host = await host("/write")
        #expect(await host.next()?.message == .state(request: 0, scope: 0, .set(key: "a", value: [0x31])))
        #expect(await host.next()?.message == .state(request: 0, scope: 0, .delete(key: "b")))
        #expect(await host.next()?.message == .state(request: 1, scope: 0, .increment(key: "n", by: 5)))
        host.send(reply(1, .number(12)))
        #expect(await host.next()?.message == text("12"))
    }

    @Test("what the host refuses is thrown")
    func refused() async {
        let host = await host("/get")
        _ = await host.next()
        host.send(reply(1, .failed(code: "unavailable", message: "the disk is full")))
        #expect(await host.next()?.message == .failure(permanent: false, message: "the disk is full"))
    }

    @Test("a reply that does not fit fails the call")
    func unexpected() async {
        let host = await host("/get")
        _ = await host.next()
        host.send(reply(1, .number(1)))
        #expect(
            await host.next()?.message
                == .failure(
                    permanent: false,
                    message: "the host gave a state reply that does not fit its request: number(1)"))
    }

    @Test("a list that was cut goes on after its last key")
    func list() async {
        let host = await host("/list")
        #expect(await host.next()?.message == .state(request: 1, scope: 0, .list(prefix: "p/", after: nil, limit: 3)))
        host.send(reply(1, .entries([WireEntry(key: "p/1", value: []), WireEntry(key: "p/2", value: [])], more: true)))
        #expect(
            await host.next()?.message == .state(request: 2, scope: 0, .list(prefix: "p/", after: "p/2", limit: 1)))
        host.send(reply(2, .entries([WireEntry(key: "p/3", value: [])], more: true)))
        #expect(await host.next()?.message == text("p/1 p/2 p/3"))
    }

    @Test("'immediately' commits in a scope of its own, and runs again on a conflict")
    func immediately() async {
        let host = await host("/immediately")
        for scope: UInt32 in 1...2 {
            #expect(
                await host.next()?.message
                    == .state(request: 0, scope: scope, .set(key: "progress", value: [0x31])))
            #expect(await host.next()?.message == .state(request: scope, scope: scope, .commit))
            host.send(reply(scope, scope == 1 ? .conflict : .done))
        }
        #expect(await host.next()?.message == text("done"))
    }

    @Test("'immediately' gives up after five conflicts")
    func conflicts() async {
        let host = await host("/immediately")
        for run: UInt32 in 1...5 {
            _ = await host.next()
            _ = await host.next()
            host.send(reply(run, .conflict))
        }
        #expect(
            await host.next()?.message
                == .failure(
                    permanent: false, message: "others changed what 'immediately' had read, in each of 5 runs"))
    }

    @Test("'immediately' abandons its scope when its block throws")
    func abandoned() async {
        let host = await host("/immediately-throws")
        _ = await host.next()
        #expect(await host.next()?.message == .state(request: 0, scope: 1, .abandon))
        #expect(await host.next()?.message == .failure(permanent: false, message: "Odd: Odd(reason: \"odd\")"))
    }

    @Test("a stream may only write immediately")
    func late() async {
        let host = await host("/late")
        _ = await host.next()
        let refusal = "the effects of this call are committed already; use 'state.immediately' in a stream"
        #expect(await host.next()?.bodyBytes == [UInt8](refusal.utf8))
        #expect(await host.next()?.message == .state(request: 1, scope: 1, .increment(key: "n", by: 1)))
        host.send(reply(1, .number(1)))
        #expect(await host.next()?.message == .state(request: 2, scope: 1, .commit))
        host.send(reply(2, .done))
        #expect(await host.next()?.message == .body(.bytes([]), end: true))
    }

    @Test("many writes wait for the host now and then")
    func bulk() async {
        let host = await host("/bulk")
        var writes = 0
        var asked = 0
        while let frame = await host.next(), case .state(let request, 0, .set) = frame.message {
            writes += 1
            guard request > 0 else { continue }
            asked += 1
            host.send(reply(request, .done))
        }
        #expect(writes == 20)
        #expect(asked > 0)
    }

    @Test("keys and values past their limits are refused at once")
    func limits() async {
        let keys = await host("/keys")
        guard case .failure(_, let key)? = await keys.next()?.message else {
            Issue.record("a long key was accepted")
            return
        }
        #expect(key.hasPrefix("a key has 1025 bytes; the most is 1024"))
        let values = await host("/values")
        #expect(
            await values.next()?.message
                == .failure(permanent: false, message: "the value of 'k' has 1048577 bytes; the most is 1 MiB"))
    }

    @Test(
        "a message past its limits is refused at once",
        arguments: [
            "/message": "a message of 9437184 bytes; the most is 1 MiB",
            "/attributes": "attributes of 9437231 bytes; the most is 16384",
            "/target": "a target of 9437184 bytes; the most is 1024",
        ])
    func messageLimits(path: String, reason: String) async {
        let host = await host(path)
        #expect(await host.next()?.message == .failure(permanent: false, message: reason))
    }
}
