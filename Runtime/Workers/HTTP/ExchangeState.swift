package import Events
package import NIOCore
package import NIOHTTP1

/// Where one request to a worker's server stands. Decides; `HTTPExchange` acts.
package struct ExchangeState: Sendable {
    /// What the caller waits for.
    package enum Expectation: Sendable, Equatable {
        case response(upgrade: Bool)
        case acknowledgement
    }

    package enum Step: Sendable {
        case none
        /// The response began and ended with one read.
        case respond(ResponseHead, ByteBuffer, trailers: [HeaderField])
        /// It began; its body follows.
        case open(ResponseHead, ByteBuffer)
        case write(ByteBuffer)
        case finish(trailers: [HeaderField])
        /// From here on, bytes go both ways as they are.
        case upgrade(ResponseHead)
        case acknowledge(status: Int, [HeaderField])
        /// What came cannot be an answer.
        case fail(String)
        /// Nobody waits for it any more, and it has come: the server is done with the request.
        case settled
    }

    private enum Phase: Sendable {
        case waiting
        /// Held back until the read is over, so that a small response leaves in one piece.
        case held(HTTPResponseHead, ByteBuffer)
        case streaming
        case ignoring(HTTPResponseHead)
        case upgrading(HTTPResponseHead)
        case tunnel
        case over
    }

    private let expectation: Expectation
    private var phase = Phase.waiting
    private var isAbandoned = false
    private var keepsAlive = false
    package private(set) var keepAliveTimeout: Duration?
    /// The request has been sent to its last byte.
    private var isSent = false

    package init(_ expectation: Expectation) { self.expectation = expectation }

    /// Whether the server has sent anything.
    package private(set) var hasBegun = false

    package var isOver: Bool { if case .over = phase { true } else { false } }

    /// Whether another request may follow on the connection.
    package var leavesConnection: Bool { isOver && isSent && keepsAlive }

    package mutating func requestSent() { isSent = true }

    /// Nobody waits for the answer any more.
    package mutating func abandon() { isAbandoned = true }

    /// It is given up, whatever comes.
    package mutating func end() {
        phase = .over
        keepsAlive = false
    }

    // MARK: What the server sends

    package mutating func received(_ head: HTTPResponseHead) -> Step {
        hasBegun = true
        guard case .waiting = phase else { return fail("a second response to one request") }
        if isAbandoned {
            end()
            return .settled
        }
        if head.status == .switchingProtocols {
            guard expectation == .response(upgrade: true) else { return fail("a change of protocol, unasked") }
            phase = .upgrading(head)
            return .none
        }
        guard (200...599).contains(head.status.code) else { return fail("the status \(head.status.code)") }
        keepsAlive = head.isKeepAlive
        keepAliveTimeout = head.keepAliveTimeout
        phase = expectation == .acknowledgement ? .ignoring(head) : .held(head, ByteBuffer())
        return .none
    }

    package mutating func received(_ bytes: ByteBuffer) -> Step {
        switch phase {
        case .held(let head, var held):
            // Before the bytes are joined, so that they are not copied for it.
            phase = .waiting
            if held.readableBytes == 0 {
                held = bytes
            } else {
                held.writeImmutableBuffer(bytes)
            }
            phase = .held(head, held)
            return .none
        case .streaming, .tunnel: return .write(bytes)
        case .ignoring, .upgrading, .over: return .none
        case .waiting: return fail("a body before its head")
        }
    }

    package mutating func receivedEnd(trailers: [HeaderField]) -> Step {
        switch phase {
        case .held(let head, let bytes):
            phase = .over
            return .respond(ResponseHead(head), bytes, trailers: trailers.filter(\.canBeTrailer))
        case .streaming:
            phase = .over
            return .finish(trailers: trailers.filter(\.canBeTrailer))
        case .ignoring(let head):
            phase = .over
            return .acknowledge(status: Int(head.status.code), head.headers.fields)
        case .upgrading(let head):
            phase = .tunnel
            return .upgrade(ResponseHead(upgrade: head))
        case .waiting, .tunnel, .over: return .none
        }
    }

    /// All that one read has brought has been received.
    package mutating func readEnded() -> Step {
        guard case .held(let head, let bytes) = phase else { return .none }
        phase = .streaming
        return .open(ResponseHead(head), bytes)
    }

    /// The connection has ended.
    package mutating func closed() -> Step {
        defer { end() }
        switch phase {
        case .tunnel: return .finish(trailers: [])
        case .over: return .none
        case .waiting: return isAbandoned ? .settled : .fail("it closed the connection without an answer")
        case .held, .streaming, .ignoring, .upgrading:
            return .fail("it closed the connection in the middle of its answer")
        }
    }

    /// What came is not HTTP.
    package mutating func garbled(_ what: String) -> Step {
        if case .over = phase { return .none }
        hasBegun = true
        if isAbandoned {
            end()
            return .settled
        }
        return fail(what)
    }

    private mutating func fail(_ what: String) -> Step {
        end()
        return .fail("it sent what is no answer: " + what)
    }
}
