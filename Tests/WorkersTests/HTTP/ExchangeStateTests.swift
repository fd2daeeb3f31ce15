import Events
import NIOCore
import NIOHTTP1
import Testing
import Workers

@Suite("What becomes of one request to a server")
struct ExchangeStateTests {
    private func head(_ status: HTTPResponseStatus, _ fields: [(String, String)] = []) -> HTTPResponseHead {
        HTTPResponseHead(version: .http1_1, status: status, headers: HTTPHeaders(fields))
    }

    private func sent(_ expectation: ExchangeState.Expectation = .response(upgrade: false)) -> ExchangeState {
        var state = ExchangeState(expectation)
        state.requestSent()
        return state
    }

    private let hello = ByteBuffer(string: "hello")

    @Test("a response that comes with one read is given in one piece")
    func whole() {
        var state = sent()
        #expect(state.received(head(.ok)).isNone)
        #expect(state.received(hello).isNone)
        guard case .respond(let head, hello, trailers: []) = state.receivedEnd(trailers: []) else {
            return #expect(Bool(false), "no response")
        }
        #expect(head.status == 200)
        #expect(state.leavesConnection)
        #expect(state.readEnded().isNone)
    }

    @Test("a response that goes on is given as soon as its first read is over")
    func stream() {
        var state = sent()
        _ = state.received(head(.ok))
        _ = state.received(hello)
        guard case .open(_, hello) = state.readEnded() else { return #expect(Bool(false), "not open") }
        guard case .write(hello) = state.received(hello) else { return #expect(Bool(false), "not written") }
        #expect(!state.leavesConnection)
        guard
            case .finish(let trailers) = state.receivedEnd(trailers: [HeaderField("A", "b"), HeaderField("Host", "c")])
        else { return #expect(Bool(false), "not finished") }
        #expect(trailers == [HeaderField("A", "b")])
        #expect(state.leavesConnection)
    }

    @Test("the connection is not used again when the server says so, or has answered before it had all")
    func connectionIsSpent() {
        var closing = sent()
        _ = closing.received(head(.ok, [("Connection", "close")]))
        _ = closing.receivedEnd(trailers: [])
        #expect(closing.isOver && !closing.leavesConnection)
        var early = ExchangeState(.response(upgrade: false))
        _ = early.received(head(.payloadTooLarge))
        _ = early.receivedEnd(trailers: [])
        #expect(early.isOver && !early.leavesConnection)
    }

    @Test("a connection that ends before its answer does fails the call")
    func closed() {
        var silent = sent()
        #expect(silent.closed().isFailure && !silent.hasBegun)
        var half = sent()
        _ = half.received(head(.ok))
        #expect(half.closed().isFailure && half.hasBegun)
        var done = sent()
        _ = done.received(head(.ok))
        _ = done.receivedEnd(trailers: [])
        #expect(done.closed().isNone)
    }

    @Test("what is no answer fails the call: an impossible status, a change of protocol that nobody asked for, garbage")
    func nonsense() {
        for status in [HTTPResponseStatus.custom(code: 999, reasonPhrase: ""), .switchingProtocols] {
            var state = sent()
            #expect(state.received(head(status)).isFailure)
        }
        var garbled = sent()
        #expect(garbled.garbled("noise").isFailure && garbled.hasBegun)
    }

    @Test("an upgrade becomes a tunnel, which the end of the connection ends")
    func upgrade() {
        var state = sent(.response(upgrade: true))
        #expect(state.received(head(.switchingProtocols, [("Sec-WebSocket-Accept", "x")])).isNone)
        guard case .upgrade(let head) = state.receivedEnd(trailers: []) else { return #expect(Bool(false)) }
        #expect(head.status == 101 && head.headers.first("Upgrade") == "websocket")
        guard case .write(hello) = state.received(hello) else { return #expect(Bool(false)) }
        guard case .finish = state.closed() else { return #expect(Bool(false)) }
        #expect(!state.leavesConnection)
    }

    @Test("an event's answer is its status, told when the connection is free")
    func acknowledgement() {
        var state = sent(.acknowledgement)
        #expect(state.received(head(.accepted)).isNone)
        #expect(state.received(hello).isNone)
        #expect(state.readEnded().isNone)
        guard case .acknowledge(status: 202, _) = state.receivedEnd(trailers: []) else { return #expect(Bool(false)) }
        #expect(state.leavesConnection)
    }

    @Test("of a call that was left, any sign says that the server is done with it")
    func abandoned() {
        var answered = sent()
        answered.abandon()
        #expect(answered.received(head(.ok)).isSettled && !answered.leavesConnection)
        var closed = sent()
        closed.abandon()
        #expect(closed.closed().isSettled)
    }

    @Test("a server's own time limit for the connection is known")
    func keepAlive() {
        var state = sent()
        _ = state.received(head(.ok, [("Keep-Alive", "timeout=5, max=100")]))
        #expect(state.keepAliveTimeout == .seconds(5))
    }
}

extension ExchangeState.Step {
    fileprivate var isNone: Bool { if case .none = self { true } else { false } }
    fileprivate var isFailure: Bool { if case .fail = self { true } else { false } }
    fileprivate var isSettled: Bool { if case .settled = self { true } else { false } }
}
