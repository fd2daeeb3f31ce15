import Events
import NIOCore
import Wire

/// The calls of a connection, from their begin to their end.
extension ApusConnection {
    /// What a handler gets to end a call that its caller has left.
    private static let cancellationLimit = TimeAmount.seconds(2)
    /// What it gets to end a call that is past its limit, while it runs others.
    private static let expiryLimit = TimeAmount.seconds(1)
    /// How long after a call's end a line counts as printed by it, when no other runs.
    private static let lateLine = TimeAmount.milliseconds(100)

    // MARK: Begin

    func begin(_ call: ApusCall, _ end: @escaping CallEnd) {
        guard phase == .ready else {
            noteNotBegun()
            return end(nil)
        }
        guard !call.isCancelled else {
            noteNotBegun()
            return end(.failure(call.call.body.cancellation))
        }
        repeat { lastCall &+= 1 } while lastCall == 0 || calls[lastCall] != nil
        call.id = lastCall
        if hasTurnsTaken {
            guard putAhead(call) else {
                noteNotBegun()
                return end(nil)
            }
        } else {
            watch(call.deadline)
        }
        call.end = end
        calls[lastCall] = call
        let (body, end) = call.upload.next() ?? (nothing, false)
        send(call, body: body, end: end)
        if call.upload.stream != nil { pump(call) } else { sendUpload(of: call) }
    }

    private func noteNotBegun() { if hasTurnsTaken { reports.returned() } else { reports.released() } }

    // MARK: Answer

    func respond(_ id: UInt32, status: UInt16, _ headers: [WireField], _ body: ByteBuffer, end: Bool) {
        guard let call = known(id, "RESPONSE") else { return }
        guard case .request = call.call.invocation.cause else {
            return breakContract("a RESPONSE to a call by \(call.call.invocation.trigger)")
        }
        guard call.download.stream == nil else { return breakContract("a second RESPONSE") }
        guard call.download.receive(body.readableBytes) else { return breakContract("a RESPONSE past its window") }
        guard (200...599).contains(status) else { return refuse(status, of: call, end: end) }
        let head = ResponseHead(status: Int(status), headers: headers.map { HeaderField($0.name, $0.value) })
        if end {
            conclude(id, .success(.response(head, .bytes(body))))
        } else {
            let stream = makeStream(for: call)
            stream.write(body)
            call.download.stream = stream
            give(call, .success(.response(head, .stream(stream))))
        }
    }

    /// The handler's mistake, not the contract's: the call alone fails.
    private func refuse(_ status: UInt16, of call: ApusCall, end: Bool) {
        let failure = CallFailure(.handlerFailed, "the handler gave the status \(status); 200 to 599 are possible")
        if end { return conclude(call.id, .failure(failure)) }
        leave(call, failure)
    }

    /// The worker has ended the call.
    func conclude(_ id: UInt32, _ answer: Result<Answer, CallFailure>) {
        guard let call = known(id, "ACKNOWLEDGE or FAILURE") else { return }
        guard call.download.stream == nil else { return breakContract("a second answer to a call") }
        if case .success(.acknowledged) = answer, case .request = call.call.invocation.cause {
            return breakContract("an ACKNOWLEDGE to an HTTP request")
        }
        // First free, then answered: who hears the answer may call again at once.
        end(call)
        give(call, answer)
    }

    func receiveBody(_ id: UInt32, _ bytes: ByteBuffer, end isLast: Bool) {
        guard let call = known(id, "BODY") else { return }
        if call.isAbandoned { return isLast ? end(call) : () }
        guard let stream = call.download.stream else { return breakContract("a BODY before its RESPONSE") }
        guard call.download.receive(bytes.readableBytes) else { return breakContract("a BODY past its window") }
        let hasRoom = stream.write(bytes)
        if isLast {
            end(call)
            stream.finish()
        } else if hasRoom {
            grantDownload(call)
        }
    }

    func reset(_ id: UInt32, _ reason: String) {
        guard let call = known(id, "RESET") else { return }
        end(call)
        call.fail(CallFailure(.handlerFailed, "the handler failed in the middle of its response: \(reason)"))
    }

    /// Gives the caller the answer, once the operations that came before it are done.
    private func give(_ call: ApusCall, _ answer: Result<Answer, CallFailure>) {
        guard !call.isAbandoned else { return }
        call.answer = answer
        if !call.isCommitting { deliver(call) }
    }

    /// The operations before the answer are done.
    func deliver(_ call: ApusCall) {
        guard let answer = call.answer else { return }
        call.answer = nil
        if case .success = answer, let error = call.operationFailure {
            call.fail(CallFailure(.handlerFailed, "a state operation failed: \(error)"))
        } else {
            call.answer(answer)
        }
    }

    /// The call holds its stream, so the stream must not hold the call: `calls` does until it ends.
    private func makeStream(for call: ApusCall) -> BodyStream {
        BodyStream { [self, weak call] in
            guard let call else { return }
            process.lane.run { self.grantDownload(call) }
        } onCancel: { [self, weak call] in
            guard let call else { return }
            process.lane.run { self.cancel(call) }
        }
    }

    private func grantDownload(_ call: ApusCall) {
        let grant = call.download.grant()
        if grant > 0, calls[call.id] === call { send(Frame(call: call.id, .credit(UInt32(grant)))) }
    }

    // MARK: End

    /// The call is over for the worker too: its place is free.
    private func end(_ call: ApusCall) {
        calls[call.id] = nil
        if calls.isEmpty { lastEnded = (call.call.invocation.id, .now()) }
        stopUpload(of: call)
        if !ahead.isEmpty { passTurn() }
        noteCallTime()
        reports.released()
        stopIfAbandoned()
    }

    /// The caller has gone.
    func cancel(_ call: ApusCall) {
        call.isCancelled = true
        guard calls[call.id] === call, !call.isAbandoned else { return }
        if takeBack(call) { return call.fail(call.call.body.cancellation) }
        leave(call, call.call.body.cancellation)
    }

    /// Nobody waits for the call any more, though the handler goes on: it gets a moment to end it.
    private func leave(_ call: ApusCall, _ failure: CallFailure) {
        call.fail(failure)
        send(Frame(call: call.id, .cancel))
        giveUp(call, "a cancelled call did not end within 2 s", in: Self.cancellationLimit)
        stopIfAbandoned()
    }

    /// Watches for `deadline`, unless an earlier one is being watched.
    func watch(_ deadline: NIODeadline) {
        if let alarm, alarm.deadline <= deadline { return }
        alarm?.timer.cancel()
        let timer = loop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in
            // One that is cancelled in the turn in which it is due comes nevertheless.
            guard alarm?.deadline == deadline else { return }
            alarm = nil
            expire(.now())
        }
        alarm = (deadline, timer)
    }

    private func expire(_ now: NIODeadline) {
        let late = calls.values.filter { $0.deadline <= now && $0.isTimed }
        for call in late { expire(call) }
        if let next = calls.values.lazy.filter(\.isTimed).map(\.deadline).min() { watch(next) }
    }

    private func expire(_ call: ApusCall) {
        recall()
        let limit = "ran past its time limit of \(call.call.time) (limits.time)"
        call.fail(CallFailure(.timedOut, "the handler \(limit)"))
        send(Frame(call: call.id, .cancel))
        if isAbandoned { giveUp("a call \(limit)") } else { giveUp(call, "a call \(limit)", in: Self.expiryLimit) }
    }

    /// Nobody waits for any of its calls.
    private var isAbandoned: Bool { calls.values.allSatisfy(\.isAbandoned) }

    /// Gives the worker up if `call` has not ended by then.
    private func giveUp(_ call: ApusCall, _ reason: String, in time: TimeAmount) {
        loop.assumeIsolated().scheduleTask(in: time) { [self, weak call] in
            guard let call, calls[call.id] === call else { return }
            giveUp(reason)
        }
    }

    /// The worker gets no more calls, and goes once nobody waits for any of those that it has: at the latest at their
    /// deadlines. One client's call must not fail those of others.
    private func giveUp(_ reason: String) {
        stopReason = stopReason ?? reason
        close()
        stopIfAbandoned()
    }

    private func stopIfAbandoned() {
        guard phase == .closing, let stopReason, isAbandoned, process.endedBecause == nil else { return }
        process.say("warning", "worker stopped: \(stopReason)")
        process.terminate(because: stopReason)
    }

    // MARK: Output

    /// The invocation that what the worker prints now belongs to, when that is certain.
    var currentInvocation: InvocationID? {
        if let only = calls.values.first(where: { !$0.isAhead }) {
            return calls.count - ahead.count == 1 && !hasBegunAhead ? only.call.invocation.id : nil
        }
        guard let lastEnded, .now() - lastEnded.at < Self.lateLine else { return nil }
        return lastEnded.invocation
    }

    func log(_ id: UInt32, _ level: UInt8, _ text: String, _ metadata: [WireField]) {
        let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        process.emit(
            .log, level: Int(level) < levels.count ? levels[Int(level)] : "info", text: LineSplitter.cut(text),
            invocation: calls[id]?.call.invocation.id ?? currentInvocation,
            metadata: metadata.map { HeaderField($0.name, $0.value) })
    }

    /// The call with this number, without which the frame makes no sense.
    private func known(_ id: UInt32, _ frame: String) -> ApusCall? {
        if let call = calls[id], !call.isAhead || noteBegun(call) { return call }
        breakContract("\(frame) for call \(id), which is not running")
        return nil
    }
}

extension CallHead {
    /// Without the request or the event's attributes.
    init(startOf call: Call) {
        let id = call.invocation.id
        self.init(
            kind: call.invocation.trigger.wireKind, invocation: WireID(high: id.high, low: id.low),
            attempt: UInt32(clamping: call.invocation.attempt), time: UInt64(max(0, call.time.nanoseconds / 1000)))
    }
}

extension HeaderField: WirePair {}

extension RequestHead: WireRequestHead {}

extension TriggerKind {
    var wireKind: CallHead.Kind {
        switch self {
        case .http: .http
        case .timer: .timer
        case .file: .file
        case .topic: .topic
        case .state: .state
        }
    }
}
