import Events
import Gateway
import NIOCore
import Testing

/// The decisions of a connection, without one.
@Suite struct ConnectionStateTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    let head = Input.part(.head(ReceivedHead(method: "GET", target: "/", fields: RequestFields())))
    let end = Input.part(.end(trailers: []))

    func body(_ count: Int) -> Input { .part(.body(ByteBuffer(repeating: 0x61, count: count))) }

    func state(_ configure: (inout GatewayConfiguration) -> Void = { _ in }) -> ConnectionState {
        var configuration = GatewayConfiguration()
        configure(&configuration)
        return ConnectionState(configuration, now: start)
    }

    func name(_ step: ConnectionState.Step?) -> String? {
        switch step {
        case nil: nil
        case .head: "head"
        case .collect: "collect"
        case .stream: "stream"
        case .tooLarge: "tooLarge"
        case .end: "end"
        case .failure: "failure"
        case .giveUp: "giveUp"
        }
    }

    func steps(_ state: inout ConnectionState) -> [String] {
        var names: [String] = []
        while let name = name(state.next(now: start)) { names.append(name) }
        return names
    }

    func responding(_ state: inout ConnectionState) -> Bool { state.responding(isWhole: true) }
    func responseEnded(_ state: inout ConnectionState) -> Bool { state.responseEnded(now: start) }
    func inputClosed(_ state: inout ConnectionState, unflushed: Int = 0) -> ConnectionState.InputClosed {
        state.inputClosed(unflushed: unflushed)
    }
    func drain(_ state: inout ConnectionState, after time: Duration = .seconds(10)) -> Bool {
        state.drain(now: start + TimeAmount(time))
    }
    func tick(_ state: inout ConnectionState, _ now: NIODeadline, unflushed: Int) -> ConnectionState.Tick {
        state.tick(now: now, unflushed: unflushed)
    }

    @Test("a second request waits for the first to be answered, and nothing more is read meanwhile")
    func order() {
        var state = state()
        for input in [head, end, head, end] { state.received(input) }
        #expect(steps(&state) == ["head", "end"])
        state.called()
        #expect(steps(&state) == [])
        #expect(!state.wantsRead)
        #expect(responding(&state))
        #expect(!responseEnded(&state))
        #expect(steps(&state) == ["head", "end"])
        #expect(state.wantsRead)
    }

    @Test("one read stays outstanding while a function runs, to notice a client that goes")
    func reading() {
        var state = state()
        state.received(head)
        state.received(end)
        _ = steps(&state)
        state.called()
        #expect(state.wantsRead)
        #expect(inputClosed(&state) == .probe)
        #expect(!state.wantsRead)
        #expect(!responding(&state))
    }

    @Test("a stream that is full pauses reading until there is demand, and time does not count against the client")
    func pressure() {
        var state = state()
        state.received(head)
        #expect(steps(&state) == ["head"])
        state.streams(limit: 100)
        state.called()
        state.received(body(50))
        #expect(steps(&state) == ["stream"])
        state.pauseBody()
        #expect(!state.wantsRead)
        #expect(tick(&state, start + .hours(1), unflushed: 0) == .none)
        state.resumeBody(now: start + .hours(1))
        #expect(state.wantsRead)
        #expect(
            tick(&state, start + .hours(2), unflushed: 0)
                == .refuse(
                    .init(
                        status: 408, code: "request-timeout", title: "The request did not arrive in time",
                        detail: "Its body has stalled.")))
        state.received(body(51))
        #expect(steps(&state) == ["tooLarge"])
    }

    @Test("an unwanted body is read up to the configured size, then given up")
    func discarding() {
        var state = state { $0.discardedBody = 10 }
        state.received(head)
        _ = steps(&state)
        #expect(responding(&state))
        #expect(!responseEnded(&state))
        state.received(body(10))
        #expect(steps(&state) == [])
        state.received(body(1))
        #expect(steps(&state) == ["giveUp"])
    }

    @Test("an unwanted body keeps no answer from being sent, however long it is")
    func discardingBeforeAnswer() {
        var state = state { $0.discardedBody = 10 }
        state.received(head)
        _ = steps(&state)
        state.streams(limit: 100)
        state.called()
        state.discardBody(now: start)
        for _ in 0..<3 { state.received(body(10)) }
        #expect(steps(&state) == [])
        #expect(state.wantsRead)
        #expect(!responding(&state))
        #expect(responseEnded(&state))
    }

    @Test("an answer that has said that the connection stays is held to, whatever of the body came before it")
    func discardingOnBothSides() {
        var state = state { $0.discardedBody = 10 }
        var fields = RequestFields()
        fields.add("Content-Length", "16")
        state.received(.part(.head(ReceivedHead(method: "POST", target: "/", fields: fields))))
        _ = steps(&state)
        state.streams(limit: 100)
        state.called()
        state.discardBody(now: start)
        state.received(body(8))
        #expect(steps(&state) == [])
        #expect(responding(&state))
        #expect(!responseEnded(&state))
        for input in [body(8), end, head] { state.received(input) }
        #expect(steps(&state) == ["head"])
    }

    @Test("the last request of a client that has closed its side, answered from its head, is the end")
    func halfClosed() {
        var state = state()
        for input in [head, end] { state.received(input) }
        #expect(inputClosed(&state) == .wait)
        let first = state.next(now: start)
        #expect(name(first) == "head")
        #expect(responding(&state))
        #expect(!responseEnded(&state))
        #expect(steps(&state) == ["giveUp"])
    }

    @Test("what comes after the end of another protocol is dropped, and keeps no connection open")
    func afterUpgrade() {
        var state = state { $0.lingerTime = .seconds(5) }
        for input in [head, end] { state.received(input) }
        _ = steps(&state)
        let isAlone = state.awaitsUpgrade()
        #expect(isAlone)
        state.called()
        #expect(state.isUpgrade)
        #expect(!responding(&state))
        #expect(responseEnded(&state))
        state.close(now: start)
        #expect(!state.isUpgrade)
        state.pauseBody()
        #expect(tick(&state, start + .seconds(4), unflushed: 0) == .none)
        #expect(tick(&state, start + .seconds(5), unflushed: 0) == .close)
    }

    @Test("after its answer, a body that stalls or is invalid closes the connection; there is no second answer")
    func oneAnswer() {
        var stalled = state()
        stalled.received(head)
        _ = steps(&stalled)
        #expect(responding(&stalled))
        #expect(!responseEnded(&stalled))
        #expect(tick(&stalled, start + .seconds(30), unflushed: 0) == .giveUp)
        var invalid = state()
        invalid.received(head)
        _ = steps(&invalid)
        #expect(responding(&invalid))
        #expect(!responseEnded(&invalid))
        invalid.received(.failure(Problem(status: 400, code: "malformed", title: "")))
        #expect(steps(&invalid) == ["giveUp"])
    }

    @Test("a body that nobody wants any more does not end the call that is still running")
    func unwantedBody() {
        var state = state()
        state.received(head)
        _ = steps(&state)
        state.streams(limit: 100)
        state.called()
        state.discardBody(now: start)
        #expect(tick(&state, start + .hours(1), unflushed: 0) == .none)
        #expect(responding(&state))
        #expect(tick(&state, start + .hours(2), unflushed: 0) == .none)
        let closes = state.responseEnded(now: start + .hours(2))
        #expect(!closes)
        #expect(tick(&state, start + .hours(2) + .seconds(29), unflushed: 0) == .none)
        #expect(tick(&state, start + .hours(2) + .seconds(30), unflushed: 0) == .giveUp)
    }

    @Test("an invalid request after a complete one is answered")
    func invalidSecond() {
        var state = state()
        for input in [head, end, .failure(Problem(status: 400, code: "malformed", title: ""))] { state.received(input) }
        #expect(steps(&state) == ["head", "end"])
        #expect(responding(&state))
        #expect(!responseEnded(&state))
        #expect(name(state.next(now: start)) == "failure")
    }

    @Test("a collected body that trickles runs out of time; one that comes at the rate asked for does not")
    func trickle() {
        func refusal(bytes: Int, each: TimeAmount) -> Int? {
            var state = state {
                $0.bodyTime = .seconds(30)
                $0.bodyRate = 100
            }
            state.received(head)
            _ = steps(&state)
            for count in 1...100 {
                let now = start + each * count
                if case .refuse = tick(&state, now, unflushed: 0) { return count }
                state.received(body(bytes))
                _ = state.next(now: now)
            }
            return nil
        }
        #expect(refusal(bytes: 1, each: .seconds(29)) == 2)
        #expect(refusal(bytes: 2900, each: .seconds(29)) == nil)
        // What comes early buys no more than the time between two pieces.
        #expect(refusal(bytes: 1 << 20, each: .seconds(31)) == 1)
    }

    @Test("a client that takes its answer slowly is neither idle nor gone")
    func slowReader() {
        var state = state()
        state.received(head)
        state.received(end)
        _ = steps(&state)
        #expect(responding(&state))
        #expect(!responseEnded(&state))
        #expect(tick(&state, start + .seconds(59), unflushed: 5) == .none)
        #expect(tick(&state, start + .seconds(60), unflushed: 4) == .none)
        #expect(inputClosed(&state, unflushed: 4) == .giveUp)
        state.close(now: start + .seconds(60))
        #expect(inputClosed(&state, unflushed: 4) == .wait)
        #expect(inputClosed(&state) == .close)
    }

    @Test("idle, head and lingering time run out one after the other")
    func deadlines() {
        var idle = state { $0.headerTime = .seconds(1) }
        #expect(tick(&idle, start + .milliseconds(999), unflushed: 0) == .none)
        #expect(tick(&idle, start + .seconds(1), unflushed: 0) == .close)
        var slow = state { $0.headerTime = .seconds(1) }
        slow.readEnded(now: start + .milliseconds(500))
        slow.readEnded(now: start + .milliseconds(1400))
        #expect(tick(&slow, start + .seconds(1), unflushed: 0) == .none)
        guard case .refuse = tick(&slow, start + .milliseconds(1500), unflushed: 0) else {
            Issue.record("a slow head is refused")
            return
        }
        slow.close(now: start)
        #expect(tick(&slow, start + .seconds(4), unflushed: 0) == .none)
        #expect(tick(&slow, start + .seconds(5), unflushed: 1) == .none)
        #expect(tick(&slow, start + .seconds(5), unflushed: 0) == .close)
    }

    @Test("a reader that takes something has all its time again; one that takes nothing is reset")
    func stalls() {
        var state = state {
            $0.writeTime = .seconds(10); $0.headerTime = .seconds(1000)
        }
        #expect(tick(&state, start, unflushed: 100) == .none)
        #expect(tick(&state, start + .seconds(9), unflushed: 99) == .none)
        #expect(tick(&state, start + .seconds(18), unflushed: 99) == .none)
        #expect(tick(&state, start + .seconds(19), unflushed: 99) == .reset)
    }

    @Test("draining closes a connection that has been idle for long, and a busy one with its answer")
    func draining() {
        var idle = state()
        #expect(drain(&idle))
        var busy = state()
        busy.received(head)
        busy.received(end)
        _ = steps(&busy)
        busy.called()
        #expect(!drain(&busy))
        #expect(!responding(&busy))
        #expect(responseEnded(&busy))
    }

    @Test("draining leaves a connection that has just been opened or answered a moment for one more request")
    func farewell() {
        var new = state { $0.farewellTime = .seconds(1) }
        #expect(!drain(&new, after: .milliseconds(900)))
        #expect(tick(&new, start + .milliseconds(990), unflushed: 0) == .none)
        #expect(tick(&new, start + .seconds(1), unflushed: 0) == .close)
        new.received(head)
        new.received(end)
        #expect(steps(&new) == ["head", "end"])
        new.called()
        #expect(!responding(&new))
    }

    @Test("an answer that was begun before draining keeps its connection for a moment, not for the idle time")
    func farewellAfterAnswer() {
        var state = state { $0.farewellTime = .seconds(1) }
        state.received(head)
        state.received(end)
        _ = steps(&state)
        state.called()
        // The client has been promised that the connection stays.
        #expect(responding(&state))
        #expect(!drain(&state))
        #expect(!responseEnded(&state))
        #expect(tick(&state, start + .milliseconds(990), unflushed: 0) == .none)
        #expect(tick(&state, start + .seconds(1), unflushed: 0) == .close)
    }

    @Test("a client that closes in the middle of a request, or between two, is closed; with requests waiting it is not")
    func inputClosed() {
        var between = state()
        #expect(inputClosed(&between) == .close)
        var middle = state()
        middle.received(head)
        _ = steps(&middle)
        #expect(inputClosed(&middle) == .close)
        var waiting = state()
        for input in [head, end, head, end] { waiting.received(input) }
        _ = steps(&waiting)
        waiting.called()
        #expect(inputClosed(&waiting) == .probe)
        #expect(responding(&waiting))
        #expect(!responseEnded(&waiting))
        #expect(steps(&waiting) == ["head", "end"])
        #expect(!responding(&waiting))
        #expect(responseEnded(&waiting))
    }

    @Test("a flood of requests before the close is bounded")
    func flood() {
        var state = state { $0.pipelined = 3 }
        state.received(head)
        state.received(end)
        _ = steps(&state)
        state.called()
        for _ in 0..<1000 {
            state.received(head)
            state.received(end)
        }
        #expect(inputClosed(&state) == .probe)
        var answered = 0
        while !state.isClosing {
            _ = responding(&state)
            if responseEnded(&state) { break }
            answered += 1
            #expect(steps(&state) == ["head", "end"])
            state.called()
        }
        #expect(answered == 3)
    }
}
