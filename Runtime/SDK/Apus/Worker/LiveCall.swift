import Synchronization
import Threads
import Wire

/// One call of the host while it runs: where its handler meets the frames.
final class LiveCall: CallLink {
    private struct Contents {
        var inbound: InboundBody
        var outbound: OutboundWindow
        var phase = CallPhase.running
        var lastScope: UInt32 = 0
        /// The keys that the call has read, with what it has found itself: it reads the same each time. `nil`: the host knows.
        var known: [(key: String, value: [UInt8]?)] = []
        /// How often the call may look itself. From then on the host is asked, which knows what was found, and what is
        /// written.
        var looks = LiveCall.mostLooks
        /// The state requests without a reply.
        var requests: [(number: UInt32, continuation: UnsafeContinuation<StateReply, any Error>)] = []
        /// Everybody who waits for another change; each looks again when woken.
        var waiters: [(number: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
        var lastWaiter: UInt64 = 0
        /// Counts the changes that somebody may wait for.
        var version: UInt64 = 0

        /// The host is asked for this.
        mutating func note(_ operation: StateRequest, in scope: UInt32) {
            guard scope == 0, looks > 0 else { return }
            if case .get(let key) = operation { known.append((key, nil)) } else { looks = 0 }
        }

        /// Those who are to look again after a change.
        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            version += 1
            guard !waiters.isEmpty else { return [] }
            defer { waiters = [] }
            return waiters.map(\.continuation)
        }

        /// Whoever has the continuation from here must resume it: nobody else can.
        mutating func takeRequest(_ number: UInt32) -> UnsafeContinuation<StateReply, any Error>? {
            requests.firstIndex { $0.number == number }.map { requests.remove(at: $0).continuation }
        }

        mutating func takeWaiter(_ number: UInt64) -> CheckedContinuation<Void, Never>? {
            waiters.firstIndex { $0.number == number }.map { waiters.remove(at: $0).continuation }
        }

        mutating func takeRequests() -> [UnsafeContinuation<StateReply, any Error>] {
            guard !requests.isEmpty else { return [] }
            defer { requests = [] }
            return requests.map(\.continuation)
        }
    }

    /// Few beside the keys that a call may read, and few enough to search; and a handler that looks again and again comes to
    /// wait for the host, so that others get their turn.
    private static let mostLooks = 64
    // No text of a handler makes a frame that the host would refuse.
    private static let longestText = 64 << 10
    private static let longestField = 4 << 10
    private static let mostFields = 64

    let id: UInt32
    /// What the host has said of it.
    let received: ReceivedCall
    private let arrival: ContinuousClock.Instant
    /// It was sent ahead of its turn, and is among these until it is taken.
    private let ahead: CallsAhead?
    /// The host is told there what it takes.
    private let times: CallTimes?
    private let outbox: Outbox
    private let values: SharedValues?
    private let cancelled = Atomic(false)
    private let ownTask = Atomic(0)
    private let lastRequest = Atomic<UInt32>(0)
    private let contents: Mutex<Contents>

    /// - Parameters:
    ///   - body: as much of it as came with the call.
    ///   - ahead: where it is to be taken from before it runs.
    ///   - times: where the host is told what it takes.
    init(
        id: UInt32, _ received: ReceivedCall, body: InboundBody, window: UInt32, arrival: ContinuousClock.Instant,
        outbox: Outbox, values: SharedValues? = nil, ahead: CallsAhead? = nil, times: CallTimes? = nil
    ) {
        self.id = id
        self.received = received
        self.arrival = arrival
        self.ahead = ahead
        self.times = times
        self.outbox = outbox
        self.values = values
        contents = Mutex(Contents(inbound: body, outbound: OutboundWindow(credit: Int(window))))
    }

    // MARK: What the host says

    /// `false`: more than the host may send.
    func receive(_ bytes: UnsafeRawBufferPointer, end: Bool) -> Bool { change { $0.inbound.receive(bytes, end: end) } }

    func receiveReset(_ reason: String) { change { $0.inbound.fail(RequestAborted(reason)) } }

    func receiveCredit(_ bytes: UInt32) { change { $0.outbound.grant(bytes) } }

    func receiveReply(_ reply: StateReply, to request: UInt32) {
        contents.withLock { $0.takeRequest(request) }?.resume(returning: reply)
    }

    /// Whether the host has cancelled it.
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    func receiveCancel() {
        cancelled.store(true, ordering: .relaxed)
        let requests = change { $0.takeRequests() }
        for request in requests { request.resume(throwing: CancellationError()) }
    }

    // MARK: What the handler has done

    /// Whether it was sent ahead of its turn.
    var isAhead: Bool { ahead != nil }

    /// `false`: the host has taken it back, and it is over.
    func begins() -> Bool {
        guard let ahead, !ahead.take(id) else { return true }
        outbox.forget(id)
        return false
    }

    /// Runs the handler in the current task, which has the number `task`, and sends what it makes of the call.
    nonisolated(nonsending) func run(by handlers: Handlers, function: String, task: Int) async {
        ownTask.store(task, ordering: .relaxed)
        let begin = times == nil ? 0 : SteadyClock.now
        // The time that it stood behind others does not count.
        let start = isAhead ? .now : arrival
        let context = Context(function: function, call: received, arrival: start, link: self)
        if let rest = finish(with: await handlers.answer(received.content, in: context, self)) { await write(rest) }
        times?.add(SteadyClock.now - begin)
    }

    /// Sends what the handler made of the call. Returns what is to be written yet; otherwise the call is over then.
    func finish(with answer: HandlerAnswer) -> HTTPResponse.Body? {
        switch answer {
        case .acknowledgement: send(last: .acknowledge)
        case .failure(let permanent, let message):
            send(last: .failure(permanent: permanent, message: message.cut(to: Self.longestText)))
        case .response(let response): return finish(with: response)
        }
        return nil
    }

    private func finish(with response: HTTPResponse) -> HTTPResponse.Body? {
        let (status, fields) = (UInt16(response.status), response.headers.fields)
        guard case .bytes(let bytes) = response.body else {
            contents.withLock { start(&$0, status, fields, body: []) }
            return response.body
        }
        return contents.withLock { contents in
            let size = contents.outbound.take(bytes.count)
            guard size == bytes.count else {
                start(&contents, status, fields, body: bytes[..<size])
                return .bytes([UInt8](bytes[size...]))
            }
            end(&contents) { writer in
                bytes.withUnsafeBytes { bytes in
                    Frame.encode(response: status, to: id, headers: fields, body: bytes, end: true, into: &writer)
                }
            }
            return nil
        }
    }

    /// Sends what comes before the rest of a body.
    private func start(_ contents: inout Contents, _ status: UInt16, _ fields: [WireField], body: ArraySlice<UInt8>) {
        contents.phase = .streaming
        outbox.add { writer in
            body.withUnsafeBytes { body in
                Frame.encode(response: status, to: id, headers: fields, body: body, end: false, into: &writer)
            }
        }
    }

    /// Writes what `finish` has left of the response's body; the call is over then.
    nonisolated(nonsending) func write(_ body: HTTPResponse.Body) async {
        do {
            switch body {
            case .bytes(let rest): try await writeAll(rest[...], end: true)
            case .stream(let produce):
                try await produce(ResponseWriter(self))
                send(last: .body(.bytes([]), end: true))
            }
        } catch {
            send(last: .reset(reason: describe(error).cut(to: Self.longestText)))
        }
    }

    private func send(last message: Message) {
        contents.withLock { contents in end(&contents) { Frame(call: id, message).encode(into: &$0) } }
    }

    /// The host may use the call's number and its place again as soon as it has this frame. Frames of the call are sent
    /// under its lock, so that tasks which the handler has left running add none after it.
    private func end(_ contents: inout Contents, with encode: (inout ByteWriter) -> Void) {
        contents.phase = .over
        outbox.add(lastOf: id, encode)
        guard !contents.waiters.isEmpty || !contents.requests.isEmpty else { return }
        // Those tasks get no answer any more.
        for waiter in contents.takeWaiters() { waiter.resume() }
        for request in contents.takeRequests() { request.resume(throwing: CancellationError()) }
    }

    // MARK: CallLink

    func begin(
        _ request: UInt32, _ scope: UInt32, _ operation: StateRequest,
        _ reply: UnsafeContinuation<StateReply, any Error>
    ) {
        do {
            try contents.withLock { contents in
                try contents.phase.checkState(scope)
                // A task is marked as cancelled before its cancellation handler runs: either it is seen here, or that finds
                // the request.
                if isCancelled || Task.isCancelled { throw CancellationError() }
                contents.requests.append((request, reply))
                contents.note(operation, in: scope)
                outbox.add { Frame.encode(call: id, request: request, scope: scope, operation, into: &$0) }
            }
        } catch {
            reply.resume(throwing: error)
        }
    }

    func newRequest() -> UInt32 {
        let next = lastRequest.wrappingAdd(1, ordering: .relaxed).newValue
        return next == 0 ? newRequest() : next
    }

    func cancelRequest(_ request: UInt32) {
        contents.withLock { $0.takeRequest(request) }?.resume(throwing: CancellationError())
    }

    var isInOwnTask: Bool { CallQueue.currentTask == ownTask.load(ordering: .relaxed) }

    func submit(_ scope: UInt32, _ operation: StateRequest) throws -> Bool {
        try contents.withLock { contents in
            try contents.phase.checkState(scope)
            contents.note(operation, in: scope)
            return outbox.addWhereRoom { Frame.encode(call: id, request: 0, scope: scope, operation, into: &$0) }
        }
    }

    func lookUp(_ key: String, in scope: UInt32) -> [UInt8]? {
        look(in: scope) { contents, values in
            if let known = contents.known.first(where: { $0.key.utf8.elementsEqual(key.utf8) }) { return known.value }
            guard let (value, version) = values.value(of: key) else { return nil }
            guard tell([.found(key: key, value: value, version: version, isRead: true)]) else { return nil }
            contents.known.append((key, value))
            return value
        }
    }

    func increment(_ key: String, by amount: Int, in scope: UInt32) -> Int? {
        look(in: scope) { contents, values in
            // What the call has read already, the host is asked to add to.
            guard !contents.known.contains(where: { $0.key.utf8.elementsEqual(key.utf8) }),
                let (value, version) = values.value(of: key), let sum = Self.sum(value, amount),
                tell([
                    .found(key: key, value: value, version: version, isRead: false),
                    .increment(key: key, by: Int64(amount)),
                ])
            else { return nil }
            contents.looks = 0
            return sum
        }
    }

    /// Looks among the values in memory; `nil` where there are none for the call, or no more.
    private func look<Found>(
        in scope: UInt32, _ find: (inout Contents, SharedValues) -> Found?
    ) -> Found? {
        guard scope == 0, let values else { return nil }
        return contents.withLock { contents in
            guard case .running = contents.phase, contents.looks > 0, !isCancelled, !Task.isCancelled else {
                return nil
            }
            contents.looks -= 1
            return find(&contents, values)
        }
    }

    /// `false`, with nothing said, where too much waits already.
    private func tell(_ operations: [StateRequest]) -> Bool {
        outbox.addWhereRoom { writer in
            for operation in operations {
                Frame.encode(call: id, request: 0, scope: 0, operation, into: &writer)
            }
        }
    }

    /// `nil` where the host has an error for it.
    private static func sum(_ value: [UInt8], _ amount: Int) -> Int? {
        guard let number = Int(String(decoding: value, as: UTF8.self)) else { return nil }
        let (sum, overflows) = number.addingReportingOverflow(amount)
        return overflows ? nil : sum
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
                let frame = Frame(call: id, chunk)
                if isLast { end(&contents) { frame.encode(into: &$0) } } else { outbox.send(frame) }
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
                if isCancelled || Task.isCancelled { throw CancellationError() }
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
                    contents.waiters.append((waiter, continuation))
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            contents.withLock { $0.takeWaiter(waiter) }?.resume()
        }
    }
}

extension String {
    /// At most `limit` bytes of UTF-8, with a mark where something is missing.
    fileprivate func cut(to limit: Int) -> String {
        utf8.count <= limit ? self : String(decoding: utf8.prefix(limit), as: UTF8.self) + "… (cut)"
    }
}
