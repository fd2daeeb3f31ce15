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
        /// Counts the changes that somebody may wait for.
        var version: UInt64 = 0

        /// Those who are to look again after a change.
        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            version += 1
            guard !waiters.isEmpty else { return [] }
            defer { waiters = [:] }
            return Array(waiters.values)
        }
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
    nonisolated(nonsending) func finish(with answer: HandlerAnswer) async {
        switch answer {
        case .acknowledgement: send(last: .acknowledge)
        case .failure(let permanent, let message):
            send(last: .failure(permanent: permanent, message: message.cut(to: Self.longestText)))
        case .response(let response): await finish(with: response)
        }
    }

    private nonisolated(nonsending) func finish(with response: HTTPResponse) async {
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
        contents.withLock { contents in
            contents.phase = .streaming
            outbox.send(Frame(call: id, message))
        }
    }

    private func send(last message: Message) { contents.withLock { end(&$0, with: message) } }

    /// The host may use the call's number and its place again as soon as it has this frame. Frames of the call are sent
    /// under its lock, so that tasks which the handler has left running add none after it.
    private func end(_ contents: inout Contents, with message: Message) {
        contents.phase = .over
        finished.add(id)
        outbox.send(Frame(call: id, message))
        // Those tasks get no answer any more.
        for waiter in contents.takeWaiters() { waiter.resume() }
    }

    // MARK: CallLink

    func operate(_ scope: UInt32, _ operation: StateRequest) async throws -> StateReply {
        let request = try contents.withLock { contents in
            try contents.phase.checkState(scope)
            contents.lastRequest = contents.lastRequest == .max ? 1 : contents.lastRequest + 1
            let message = Message.state(request: contents.lastRequest, scope: scope, operation)
            outbox.send(Frame(call: id, message))
            return contents.lastRequest
        }
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
        try contents.withLock { contents in
            try contents.phase.checkState(scope)
            outbox.send(Frame(call: id, .state(request: 0, scope: scope, operation)))
        }
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

    func write(_ bytes: [UInt8]) async throws { try await writeAll(bytes[...], end: false) }

    private nonisolated(nonsending) func writeAll(_ bytes: ArraySlice<UInt8>, end isEnd: Bool) async throws {
        var rest = bytes
        while !rest.isEmpty {
            let sent = try await value { [rest] contents in
                guard case .streaming = contents.phase else { return 0 }
                let size = contents.outbound.take(rest.count)
                guard size > 0 else { return Int?.none }
                let isLast = isEnd && size == rest.count
                let chunk = Message.body(.bytes([UInt8](rest.prefix(size))), end: isLast)
                if isLast { end(&contents, with: chunk) } else { outbox.send(Frame(call: id, chunk)) }
                return size
            }
            guard sent > 0 else {
                throw PermanentFailure("a response writer works only while its 'stream' closure runs")
            }
            rest = rest.dropFirst(sent)
        }
    }

    // MARK: Waiting

    /// Every change from outside passes here: lock, mutate, unlock, wake.
    private func change<Result: Sendable>(_ mutate: (inout Contents) -> Result) -> Result {
        let (result, woken) = contents.withLock { contents in
            let result = mutate(&contents)
            return (result, contents.takeWaiters())
        }
        for waiter in woken { waiter.resume() }
        return result
    }

    /// Waits until `look` finds something. Throws `CancellationError` when the call or the task is cancelled first, or
    /// the call ends.
    private nonisolated(nonsending) func value<Found: Sendable>(
        _ look: (inout Contents) -> Found?
    ) async throws -> Found {
        while true {
            let (found, version) = try contents.withLock { contents in
                if contents.cancelled || Task.isCancelled { throw CancellationError() }
                let found = look(&contents)
                if found == nil, case .over = contents.phase { throw CancellationError() }
                return (found, contents.version)
            }
            if let found { return found }
            await nextChange(after: version)
        }
    }

    /// Returns once something has changed since `version`, or the task is cancelled.
    private nonisolated(nonsending) func nextChange(after version: UInt64) async {
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
