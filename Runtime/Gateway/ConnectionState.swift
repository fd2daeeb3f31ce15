package import Events
package import NIOCore

/// What came in on a connection. Small, since each request has several: what is large and rare is behind a reference.
package enum Input: Sendable {
    case part(RequestPart)
    /// Nothing after this can be understood.
    indirect case failure(Problem)
}

/// Where one connection stands. Decides; `HTTPConnection` acts.
///
/// One exchange at a time: what a client sends ahead waits in `inputs`, and while something waits nothing more is read
/// from the socket, so that answers come in order and memory stays bounded.
package struct ConnectionState: Sendable {
    package enum Step: Sendable {
        case head(ReceivedHead)
        /// A piece of the body, and what is to become of it.
        case collect(ByteBuffer)
        case stream(ByteBuffer)
        /// The body exceeds what the function takes.
        case tooLarge(limit: Int64)
        /// The request is complete; what came after its body.
        case end([HeaderField])
        indirect case failure(Problem)
        /// The last request has its answer, or the connection is not worth the rest of a body that nobody wants.
        case giveUp
    }

    package enum Tick: Sendable, Hashable {
        case none
        case close
        /// Closes after what has been written.
        case giveUp
        case reset
        case refuse(Problem)
    }

    package enum InputClosed: Sendable, Hashable {
        case close
        /// Closes after what has been written.
        case giveUp
        /// The client may have gone or may wait for its answer; only sending something tells.
        case probe
        /// There is an end to what the client says in another protocol; it may still listen.
        case finish
        case wait
    }

    private enum Request: Sendable {
        case none
        case collecting(received: Int, limit: Int64, since: NIODeadline)
        case streaming(left: Int64, limit: Int64, isPaused: Bool)
        case discarding(left: Int)
        case complete
        /// Complete, and what the client sends from here on is no HTTP, if the function agrees.
        case upgrade(isPaused: Bool)
    }

    private enum Response: Sendable {
        case none, running, sending, done
    }

    private let configuration: GatewayConfiguration
    private let bodyTime: TimeAmount
    private let idleTime: TimeAmount
    /// Since when it waits for a request, while it does.
    private var idleSince: NIODeadline
    private var inputs = CircularBuffer<Input>(initialCapacity: 4)
    private var request = Request.none
    private var response = Response.none
    /// Bytes of the body that are to come, where the head has said how many there are.
    private var announced: Int64 = 0
    private var patience: ClientPatience
    private var keepsAlive = true
    private var isDraining = false
    private var sawFirstByte = false
    /// Whether anything has been made of the bytes of this read.
    private var madeInput = false
    /// More was sent ahead than may wait: what waits is answered, then the connection is closed.
    private var hasOverflowed = false
    package private(set) var isInputClosed = false
    /// Nothing more is taken from the client.
    package private(set) var isClosing = false

    package init(_ configuration: GatewayConfiguration, now: NIODeadline) {
        self.configuration = configuration
        bodyTime = TimeAmount(configuration.bodyTime)
        idleTime = TimeAmount(configuration.idleTime)
        idleSince = now
        patience = ClientPatience(until: now + TimeAmount(configuration.headerTime))
    }

    // MARK: Requests

    package mutating func received(_ input: consuming Input) {
        madeInput = true
        guard !isClosing, !hasOverflowed else { return }
        // Each request is at least a head and an end.
        guard inputs.count < 2 * configuration.pipelined else {
            hasOverflowed = true
            return
        }
        inputs.append(input)
    }

    /// What to do at once with what has been received, where nothing comes before it; else it waits for `next`.
    package mutating func step(_ input: consuming Input, now: @autoclosure () -> NIODeadline) -> Step? {
        guard inputs.isEmpty, takesInput, !isClosing, !hasOverflowed else {
            received(input)
            return nil
        }
        madeInput = true
        return step(for: input, now)
    }

    /// The next thing to do with what has been received; `nil` when there is none, or the running exchange comes first.
    ///
    /// - Parameter now: asked for only where it counts.
    package mutating func next(now: @autoclosure () -> NIODeadline) -> Step? {
        while !inputs.isEmpty, !isClosing, takesInput, let input = inputs.popFirst() {
            if let step = step(for: input, now) { return step }
        }
        return nil
    }

    /// `nil` for what needs nothing to be done.
    private mutating func step(for input: consuming Input, _ now: () -> NIODeadline) -> Step? {
        switch input {
        case .failure(let problem):
            // Its answer is out already; a second one would pass for the answer to another request.
            if case .done = response { return .giveUp }
            return .failure(problem)
        case .part(.head(let head)):
            let now = now()
            request = .collecting(received: 0, limit: .max, since: now)
            announced = head.fields.contentLength ?? 0
            patience.wait(.body, until: now + bodyTime)
            return .head(head)
        case .part(.body(let bytes)): return body(bytes, now())
        case .part(.end(let trailers)):
            if case .none = request { return nil }
            request = .complete
            patience.waitForFunction()
            guard case .done = response else { return .end(trailers) }
            exchangeEnded(now: now())
            return isInputClosed && inputs.isEmpty ? .giveUp : nil
        }
    }

    /// Whether the exchange that runs, if there is one, is still to get parts.
    private var takesInput: Bool {
        switch request {
        case .complete, .upgrade: false
        case .none, .collecting, .streaming, .discarding: true
        }
    }

    private mutating func body(_ bytes: ByteBuffer, _ now: NIODeadline) -> Step? {
        announced -= Int64(bytes.readableBytes)
        switch request {
        case .none, .complete, .upgrade: return nil
        case .collecting(let received, let limit, let since):
            let received = received + bytes.readableBytes
            request = .collecting(received: received, limit: limit, since: since)
            if received > limit { return .tooLarge(limit: limit) }
            let earned = TimeAmount.milliseconds(Int64(received) * 1000 / Int64(configuration.bodyRate))
            patience.extend(to: min(now, since + earned) + bodyTime)
            return .collect(bytes)
        case .streaming(let left, let limit, let isPaused):
            // As long as its bytes come, the function's time limit ends it.
            patience.extend(to: now + bodyTime)
            let left = left - Int64(bytes.readableBytes)
            request = .streaming(left: left, limit: limit, isPaused: isPaused)
            return left < 0 ? .tooLarge(limit: limit) : .stream(bytes)
        case .discarding(let left):
            let left = left - bytes.readableBytes
            request = .discarding(left: left)
            guard left < 0 else { return nil }
            if case .done = response { return .giveUp }
            // The answer first: the function works on, and its time limit bounds how long this goes on.
            keepsAlive = false
            return nil
        }
    }

    /// The head was admitted, refused or answered; `keepsAlive` is what the client wants.
    package mutating func accepted(keepsAlive: Bool) { self.keepsAlive = keepsAlive }

    /// The body of this request is wanted whole.
    package mutating func collects(limit: Int64) {
        guard case .collecting(let received, _, let since) = request else { return }
        request = .collecting(received: received, limit: limit, since: since)
    }

    /// The body of this request goes to its function as it comes.
    package mutating func streams(limit: Int64) {
        request = .streaming(left: limit, limit: limit, isPaused: false)
    }

    /// The complete request may lead to another protocol. `false` when more requests have come behind it already.
    package mutating func awaitsUpgrade() -> Bool {
        guard inputs.isEmpty else { return false }
        request = .upgrade(isPaused: false)
        keepsAlive = false
        return true
    }

    /// Bytes that come are none of HTTP.
    package var isUpgrade: Bool { if case .upgrade = request { true } else { false } }

    package mutating func pauseBody() {
        switch request {
        case .streaming(let left, let limit, _): request = .streaming(left: left, limit: limit, isPaused: true)
        case .upgrade: request = .upgrade(isPaused: true)
        case .none, .collecting, .discarding, .complete: return
        }
        patience.waitForFunction()
    }

    package mutating func resumeBody(now: NIODeadline) {
        if isUpgrade { request = .upgrade(isPaused: false) }
        guard case .streaming(let left, let limit, true) = request else { return }
        request = .streaming(left: left, limit: limit, isPaused: false)
        patience.wait(.body, until: now + bodyTime)
    }

    /// Nobody wants the rest of the body.
    package mutating func discardBody(now: NIODeadline) {
        switch request {
        case .none, .complete, .discarding, .upgrade: return
        case .collecting, .streaming:
            request = .discarding(left: configuration.discardedBody)
            patience.wait(.body, until: now + bodyTime)
        }
    }

    // MARK: Responses

    package mutating func called() { response = .running }

    /// Whether the response may say that the connection stays.
    ///
    /// - Parameter isWhole: the function has ended, and reads no more of the body.
    package mutating func responding(isWhole: Bool) -> Bool {
        response = .sending
        if isWhole, announced > configuration.discardedBody { keepsAlive = false }
        if isDraining || (isInputClosed || hasOverflowed) && inputs.isEmpty { keepsAlive = false }
        return keepsAlive
    }

    package var isSending: Bool {
        if case .sending = response { true } else { false }
    }

    /// Whether the connection must be closed now.
    package mutating func responseEnded(now: NIODeadline) -> Bool {
        response = .done
        if !keepsAlive || isClosing { return true }
        if case .complete = request {
            exchangeEnded(now: now)
        } else {
            // What came of it before is not counted: the answer may have said that the connection stays.
            request = .discarding(left: configuration.discardedBody)
            patience.wait(.body, until: now + bodyTime)
        }
        return isInputClosed && inputs.isEmpty
    }

    private mutating func exchangeEnded(now: NIODeadline) {
        request = .none
        response = .none
        sawFirstByte = false
        idleSince = now
        patience.wait(.idle, until: isDraining ? farewell : now + idleTime)
    }

    /// Until when a host that drains waits for one more request.
    private var farewell: NIODeadline { idleSince + TimeAmount(configuration.farewellTime) }

    // MARK: The connection

    /// Whether to ask the socket for more. While a function runs there is one read outstanding, which notices a client
    /// that goes away.
    package var wantsRead: Bool {
        if isInputClosed { return false }
        if isClosing { return true }
        switch request {
        case .streaming(_, _, isPaused: true), .upgrade(isPaused: true): return false
        case .none, .collecting, .streaming, .discarding, .complete, .upgrade: return inputs.isEmpty
        }
    }

    /// A read has ended: bytes that made no part yet are the beginning of a head.
    ///
    /// - Parameter now: asked for only then.
    package mutating func readEnded(now: @autoclosure () -> NIODeadline) {
        defer { madeInput = false }
        guard case .none = request, !madeInput, !sawFirstByte, !isClosing else { return }
        sawFirstByte = true
        patience.wait(.head, until: now() + TimeAmount(configuration.headerTime))
    }

    ///
    /// - Parameter unflushed: bytes that the client has not taken yet; one that sends no more may still read them.
    package mutating func inputClosed(unflushed: Int) -> InputClosed {
        isInputClosed = true
        if isClosing { return unflushed == 0 ? .close : .wait }
        let close = unflushed == 0 ? InputClosed.close : .giveUp
        switch (request, response) {
        case (.upgrade, .sending): return .finish
        case (.complete, .running), (.upgrade, .running): return .probe
        case (.complete, _), (.upgrade, _): return .wait
        case (.none, _): return inputs.isEmpty ? close : .wait
        // The rest of this request can no longer come.
        case (.collecting, _), (.streaming, _), (.discarding, _): return close
        }
    }

    /// At most one more request; whether the connection has been idle for long and can be closed at once.
    package mutating func drain(now: NIODeadline) -> Bool {
        isDraining = true
        guard case .none = request, inputs.isEmpty, patience.waiting == .idle else { return false }
        if farewell <= now { return true }
        patience.wait(.idle, until: farewell)
        return false
    }

    /// Nothing more is taken; the client has until then to close its side.
    package mutating func close(now: NIODeadline) {
        isClosing = true
        // Whatever still comes is part of nothing, also after an upgrade.
        request = .none
        inputs.removeAll()
        patience.wait(.linger, until: now + TimeAmount(configuration.lingerTime))
    }

    /// - Parameter unflushed: bytes that the client has not taken yet.
    package mutating func tick(now: NIODeadline, unflushed: Int) -> Tick {
        switch patience.tick(now: now, unflushed: unflushed, writeTime: TimeAmount(configuration.writeTime)) {
        case .stalled: .reset
        case .none, .over(.function): .none
        // A client that takes its answer slowly is not idle; one that takes nothing has stalled.
        case .over(.idle), .over(.linger): unflushed == 0 ? .close : .none
        case .over(.head): .refuse(.headTimedOut)
        case .over(.body): bodyTimedOut
        }
    }

    private var bodyTimedOut: Tick {
        switch (request, response) {
        case (_, .done): .giveUp
        // Nobody waits for the rest; the function's time limit bounds the answer.
        case (.discarding, _): .none
        default: .refuse(.bodyTimedOut)
        }
    }
}
