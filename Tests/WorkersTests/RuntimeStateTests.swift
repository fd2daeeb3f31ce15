import Events
import Testing
import Workers

@Suite("The Lambda Runtime API decides")
struct RuntimeStateTests {
    private let id = InvocationID(high: 1, low: 2)
    private var response: RuntimeRequest { .response(id: id.description) }

    /// A runtime that waits for an event on connection 1.
    private func polling() -> RuntimeState {
        var state = RuntimeState()
        _ = state.receive(.next, on: 1)
        return state
    }

    /// … and that has one.
    private func running() -> RuntimeState {
        var state = polling()
        _ = state.begin(id)
        _ = state.offer()
        return state
    }

    @Test("a worker is ready at its first next")
    func ready() {
        var state = RuntimeState()
        #expect(state.isStarting)
        #expect(state.begin(id) == false)
        #expect(state.receive(.next, on: 1) == .wait)
        #expect(state.isReady && state.isPolling)
    }

    @Test("a call goes to the connection that has waited longest")
    func order() {
        var state = polling()
        #expect(state.receive(.next, on: 2) == .wait)
        #expect(state.begin(id) == true)
        #expect(state.offer() == 1)
    }

    @Test("a call waits for a runtime that is busy with something else")
    func waiting() {
        var state = running()
        state.answered()
        #expect(state.begin(id) == true)
        #expect(state.offer() == nil)
        #expect(state.receive(.next, on: 3) == .give)
    }

    @Test("a runtime has one call at a time")
    func one() {
        var state = running()
        #expect(state.begin(InvocationID()) == false)
    }

    @Test("an answer counts once, for the call that the runtime has")
    func answers() {
        var state = running()
        #expect(state.receive(.response(id: InvocationID().description), on: 1) == .refuse(.invalidID))
        #expect(state.receive(.response(id: "nonsense"), on: 1) == .refuse(.invalidID))
        #expect(state.receive(response, on: 1) == .takeResponse)
        #expect(state.receive(.error(id: id.description), on: 2) == .refuse(.invalidState))
        state.answered()
        #expect(state.receive(response, on: 1) == .refuse(.invalidID))
    }

    @Test("no answer counts before the event was handed out")
    func early() {
        var state = polling()
        _ = state.begin(id)
        #expect(state.receive(response, on: 1) == .refuse(.invalidState))
    }

    @Test("an answer that breaks off may come again")
    func brokenOff() {
        var state = running()
        #expect(state.receive(response, on: 1) == .takeResponse)
        #expect(state.closed(2) == false)
        #expect(state.closed(1) == true)
        #expect(state.receive(response, on: 2) == .takeResponse)
    }

    @Test("an event that could not be handed over goes to the next who asks")
    func undelivered() {
        var state = running()
        #expect(state.offer() == nil)
        #expect(state.receive(.next, on: 4) == .give)
    }

    @Test("a connection that has gone gets nothing")
    func gone() {
        var state = polling()
        #expect(state.closed(1) == false)
        _ = state.begin(id)
        #expect(state.offer() == nil)
    }

    @Test("a call can be taken back until the runtime has it")
    func withdrawal() {
        var state = polling()
        _ = state.begin(id)
        #expect(state.withdraw() == true)
        #expect(state.begin(id) == true)
        #expect(state.offer() == 1)
        #expect(state.withdraw() == false)
    }

    @Test("init/error counts before the first next alone")
    func initError() {
        var state = RuntimeState()
        #expect(state.receive(.initError, on: 1) == .takeInitError)
        #expect(state.receive(.next, on: 1) == .refuse(.invalidState))
        var late = polling()
        #expect(late.receive(.initError, on: 1) == .refuse(.invalidState))
    }

    @Test(
        "paths and methods are told apart",
        arguments: [
            ("GET", "/2018-06-01/runtime/invocation/next", RuntimeRequest.next),
            ("GET", "/2018-06-01/runtime/invocation/next?x=1", .next),
            ("POST", "/2018-06-01/runtime/invocation/abc/response", .response(id: "abc")),
            ("POST", "/2018-06-01/runtime/invocation/abc/error", .error(id: "abc")),
            ("POST", "/2018-06-01/runtime/init/error", .initError),
            ("POST", "/2018-06-01/runtime/invocation/next", .wrongMethod),
            ("GET", "/2018-06-01/runtime/init/error", .wrongMethod),
            ("GET", "/2018-06-01/runtime/invocation", .unknown), ("GET", "/2018-06-01/runtime/", .unknown),
            ("GET", "/2020-01-01/extension/register", .unknown), ("GET", "", .unknown),
        ])
    func requests(_ method: String, _ uri: String, _ request: RuntimeRequest) {
        #expect(RuntimeRequest(method: method, uri: uri) == request)
    }

    @Test("refusals are documents in AWS's shape")
    func refusals() {
        #expect(RuntimeRefusal.invalidID.status == 400)
        #expect(RuntimeRefusal.invalidState.json.contains(#""errorType":"InvalidStateTransition"}"#))
    }
}
