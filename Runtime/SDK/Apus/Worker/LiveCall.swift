import Synchronization
import Wire

/// One call of the host while it runs: where its handler meets the frames.
final class LiveCall: CallLink {
    private struct Contents {
        var inbound: InboundBody
        var outbound: OutboundWindow
        var phase = CallPhase.running
        var replies: [UInt32: StateReply] = [:]
        var lastRequest: UInt32 = 0
        var lastScope: UInt32 = 0
        var cancelled = false
        /// Everybody who waits for a change; each looks again when woken.
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
        /// Counts the changes that came from outside.
        var version: UInt64 = 0
    }

    // No text of a handler makes a frame that the host would refuse.
    private static let longestText = 64 << 10
    private static let longestField = 4 << 10
    private static let mostFields = 64

    private let id: UInt32
    private let outbox: Outbox
    private let finished: FinishedCalls
    private let contents: Mutex<Contents>

    init(id: UInt32, window: UInt32, outbox: Outbox, finished: FinishedCalls) {
        self.id = id
        self.outbox = outbox
        self.finished = finished
        contents = Mutex(
            Contents(inbound: InboundBody(window: Int(window)), outbound: OutboundWindow(credit: Int(window))))
    }

    // MARK: What the host says

    /// `false`: more than the host may send.
    func receive(_ bytes: UnsafeRawBufferPointer, end: Bool) -> Bool { change { $0.inbound.receive(bytes, end: end) } }

    func receiveReset(_ reason: String) { change { $0.inbound.fail(RequestAborted(reason)) } }

    func receiveCredit(_ bytes: UInt32) { change { $0.outbound.grant(bytes) } }

    func receiveReply(_ reply: StateReply, to request: UInt32) { change { $0.replies[request] = reply } }

    func receiveCancel() { change { $0.cancelled = true } }

    // MARK: What the handler has done

    /// Sends what the handler made of the call, the streamed body included; the call is over then.
    func finish(with answer: HandlerAnswer) async {
        switch answer {
        case .acknowledgement: send(last: .acknowledge)
        case .failure(let permanent, let message):
            send(last: .failure(permanent: permanent, message: message.cut(to: Self.longestText)))
        case .response(let response): await finish(with: response)
        }
    }

    private func finish(with response: HTTPResponse) async {
        do {
            switch response.body {
            case .bytes(let bytes):
                let size = contents.withLock { $0.outbound.take(bytes.count) }
                sendHead(
                    response, body: size == bytes.count ? bytes : [UInt8](bytes[..<size]), end: size == bytes.count)
                if size == bytes.count { return }
                try await writeAll(bytes[size...], end: true)
            case .stream(let produce):
                sendHead(response, body: [], end: false)
                try await produce(ResponseWriter(self))
                send(last: .body(.bytes([]), end: true))
            }
        } catch {
            send(last: .reset(reason: describe(error).cut(to: Self.longestText)))
        }
    }

    private func sendHead(_ response: HTTPResponse, body: [UInt8], end: Bool) {
        let message = Message.response(
            status: UInt16(response.status), headers: response.headers.fields, body: .bytes(body), end: end)
        if end { return send(last: message) }
        contents.withLock { $0.phase = .streaming }
        outbox.send(Frame(call: id, message))
    }

    /// The host may use the call's number and its place again as soon as it has this frame.
    private func send(last message: Message) {
        contents.withLock { $0.phase = .over }
        finished.add(id)
        outbox.send(Frame(call: id, message))
    }

    // MARK: CallLink

    func operate(_ scope: UInt32, _ operation: StateRequest) async throws -> StateReply {
        let request = try contents.withLock { contents in
            try contents.phase.checkState(scope)
            contents.lastRequest = contents.lastRequest == .max ? 1 : contents.lastRequest + 1
            return contents.lastRequest
        }
        outbox.send(Frame(call: id, .state(request: request, scope: scope, operation)))
        return try await value { $0.replies.removeValue(forKey: request) }
    }

    func submit(_ scope: UInt32, _ operation: StateRequest) async throws {
        if outbox.isOverfull {
            // Waiting for the reply gives the loop its turn to send what has piled up.
            if case .failed(let code, let message) = try await operate(scope, operation) {
                throw StateError(StateError.Code(rawValue: code) ?? .unavailable, message)
            }
            return
        }
        try contents.withLock { try $0.phase.checkState(scope) }
        outbox.send(Frame(call: id, .state(request: 0, scope: scope, operation)))
    }

    func newScope() -> UInt32 {
        contents.withLock { contents in
            contents.lastScope = contents.lastScope == .max ? 1 : contents.lastScope + 1
            return contents.lastScope
        }
    }

    func log(_ level: LogLevel, _ text: String, _ metadata: [WireField]) {
        let fields = metadata.prefix(Self.mostFields).map { field in
            WireField(field.name.cut(to: Self.longestField), field.value.cut(to: Self.longestField))
        }
        let line = Message.log(level: level.rawValue, text: text.cut(to: Self.longestText), metadata: fields)
        outbox.sendLine(Frame(call: id, line))
    }

    func nextChunk() async throws -> [UInt8]? {
        let next = try await value { contents -> InboundBody.Next? in
            let next = contents.inbound.next()
            if case .wait = next { return nil }
            return next
        }
        switch next {
        case .chunk(let bytes, let credit):
            if credit > 0 { outbox.send(Frame(call: id, .credit(credit))) }
            return bytes
        case .failed(let error): throw error
        case .end, .wait: return nil
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        if case .streaming = contents.withLock({ $0.phase }) {
            try await writeAll(bytes[...], end: false)
        } else {
            throw PermanentFailure("a response writer works only while its 'stream' closure runs")
        }
    }

    private func writeAll(_ bytes: ArraySlice<UInt8>, end: Bool) async throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.count
            let size = try await value { contents in
                let size = contents.outbound.take(count)
                return size > 0 ? size : nil
            }
            let chunk = Message.body(.bytes([UInt8](rest.prefix(size))), end: end && size == count)
            rest = rest.dropFirst(size)
            if end, rest.isEmpty { send(last: chunk) } else { outbox.send(Frame(call: id, chunk)) }
        }
    }

    // MARK: Waiting

    /// Every change from outside passes here: lock, mutate, unlock, wake.
    private func change<Result: Sendable>(_ mutate: (inout Contents) -> Result) -> Result {
        let (result, woken) = contents.withLock { contents in
            let result = mutate(&contents)
            contents.version += 1
            defer { contents.waiters = [:] }
            return (result, contents.waiters)
        }
        for waiter in woken.values { waiter.resume() }
        return result
    }

    /// Waits until `look` finds something. Throws `CancellationError` when the call or the task is cancelled first.
    private func value<Found: Sendable>(_ look: (inout Contents) -> Found?) async throws -> Found {
        while true {
            let (found, version) = try contents.withLock { contents in
                if contents.cancelled || Task.isCancelled { throw CancellationError() }
                return (look(&contents), contents.version)
            }
            if let found { return found }
            await nextChange(after: version)
        }
    }

    /// Returns once something has changed since `version`, or the task is cancelled.
    private func nextChange(after version: UInt64) async {
        let waiter = contents.withLock { contents in
            contents.lastWaiter += 1
            return contents.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = contents.withLock { contents in
                    // A task is marked as cancelled before its cancellation handler runs: either it is seen here, or the
                    // handler below finds the waiter.
                    guard contents.version == version, !Task.isCancelled else { return false }
                    contents.waiters[waiter] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            contents.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume()
        }
    }
}

extension String {
    /// At most `limit` bytes of UTF-8, with a mark where something is missing.
    fileprivate func cut(to limit: Int) -> String {
        utf8.count <= limit ? self : String(decoding: utf8.prefix(limit), as: UTF8.self) + "… (cut)"
    }
}
