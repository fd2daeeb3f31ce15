import Glibc
import Synchronization
import Threads
import Wire

/// Why a worker ends.
package enum WorkerEnding: Sendable, Equatable {
    /// The host said goodbye, and every call is over.
    case goodbye
    /// The socket is closed: nobody is there to see what the calls would give.
    case hostGone
    /// The host sent what `docs/worker-protocol.md` does not allow.
    case violation(String)
}

/// The one thread of a worker: reads frames, runs the jobs of the calls, writes frames, sleeps.
package final class WorkerLoop {
    private var link: HostLink
    private let handlers: Handlers
    private let alarm: Alarm
    private let executor: LoopExecutor
    private let outbox: Outbox
    private let queue = CallQueue()

    private var input = InputBuffer()
    private var jobs: [UnownedJob] = []
    /// The socket and the alarm.
    private var polled: [pollfd]
    /// Few, so that none has to be hashed.
    private var calls: [LiveCall] = []
    private var welcome: Welcome?
    private var leaving = false
    /// What the calls gave waits for room.
    private var isBlocked = false
    private var courtesy = Courtesy()

    /// Serves `function` over `socket`, which it does not close. To be used on the thread that creates it.
    package init(_ function: any Function, socket: Int32) throws {
        link = HostLink(socket: socket)
        handlers = Handlers(function)
        alarm = try Alarm()
        executor = LoopExecutor(alarm: alarm)
        outbox = Outbox(alarm: alarm)
        polled = [socket, alarm.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    }

    static let sdk = "apus-swift/1"
    static let abilities = Hello.canShare | Hello.canLookUp | Hello.canTakeAhead
    /// How often others get the processor before the thread sleeps, where memory is shared: for the host to wake it costs
    /// more than to look once more.
    private static let yields = 3

    /// Serves calls until the connection ends.
    ///
    /// - Parameter saidHello: the host has the worker's HELLO.
    package func run(saidHello: Bool = false) -> WorkerEnding {
        if !saidHello {
            let hello = Hello(triggers: handlers.triggers | Self.abilities, sdk: Self.sdk)
            outbox.send(Frame(call: 0, .hello(hello)))
        }
        do {
            while true {
                let busy = try runCalls()
                if leaving, calls.isEmpty, !isBlocked {
                    queue.close()
                    _ = executor.runJobs(&jobs)
                    return .goodbye
                }
                guard try sleep(busy: busy, blocked: isBlocked) else { continue }
                guard try readFrames() else { return .hostGone }
            }
        } catch let error as WireError {
            return .violation(error.description)
        } catch {
            // A socket that can be neither read nor written has nobody at its other end.
            return .hostGone
        }
    }

    /// Runs the calls until each has ended or waits for something, and sends what they give. Returns whether something is
    /// left to run.
    private func runCalls() throws -> Bool {
        // Where calls run one after the other, an answer goes out before the next, which may take long.
        let isOrdered = welcome?.concurrency == 1
        if isBlocked { try flush() }
        while true {
            if isBlocked && isOrdered { return executor.runJobs(&jobs) }
            queue.start(makeTask)
            let isBusy = executor.runJobs(&jobs)
            let isLast = isBusy || !queue.hasNext
            if isLast || isOrdered { try flush() }
            if isLast { return isBusy }
        }
    }

    private func flush() throws { isBlocked = try outbox.flush(remove) { try link.send($0) } }

    /// Unstructured, because the loop must go on while calls run; `queue` holds it until it has ended.
    private func makeTask(for runner: Int) -> Task<Void, Never> {
        let function = welcome?.function ?? ""
        return Task(executorPreference: executor) { [queue, handlers] in
            let task = CallQueue.currentTask
            repeat {
                while let call = queue.take(for: runner) {
                    await call.run(by: handlers, function: function, task: task)
                }
            } while await queue.waits(runner)
        }
    }

    /// A call is over.
    private func remove(_ id: UInt32) {
        guard let index = calls.firstIndex(where: { $0.id == id }) else { return }
        calls.swapAt(index, calls.count - 1)
        calls.removeLast()
    }

    /// Waits for something to do. Returns whether something may have come.
    private func sleep(busy: Bool, blocked: Bool) throws -> Bool {
        if link.hasInput { return true }
        if !busy {
            for _ in 0..<(link.isShared ? Self.yields : 1) {
                courtesy.yield()
                if link.hasInput { return true }
            }
            guard link.sleeps(blocked: blocked) else { return true }
        }
        polled[0].events = Int16(blocked && !link.isShared ? POLLIN | POLLOUT : POLLIN)
        guard poll(&polled, 2, busy ? 0 : -1) >= 0 else {
            if errno == EINTR { return false }
            throw SystemError("poll", errno)
        }
        if polled[1].revents != 0 { alarm.silence() }
        let isReadable = polled[0].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0
        link.wakes(isReadable: isReadable)
        return isReadable
    }

    /// Takes all frames that are there. `false` at the end of the stream.
    private func readFrames() throws -> Bool {
        guard try input.fill(from: &link) else { return false }
        let arrival = ContinuousClock.now
        try input.drain { header, bytes in try receive(header, bytes, arrival) }
        return true
    }

    // MARK: Frames

    private func receive(
        _ header: FrameHeader, _ bytes: UnsafeRawBufferPointer, _ arrival: ContinuousClock.Instant
    ) throws(WireError) {
        var payload = ByteReader(bytes, range: header.payload)
        // Frames of a call that is over crossed its last one on the way.
        var call: LiveCall? { calls.first { $0.id == header.call } }
        // What is frequent needs no `Message`, which has a string for each part of a request.
        switch header.type {
        case .call: return try start(header, &payload, arrival)
        case .stateReply:
            let (request, reply) = try StateReply.withRequest(from: &payload)
            try payload.end()
            call?.receiveReply(reply, to: request)
            return
        default: break
        }
        let message = try Message(header, from: &payload)
        switch message {
        case .welcome(let welcome): try receive(welcome)
        case .goodbye: leaving = true
        case .body(.range(let range), let end):
            guard let call else { return }
            guard call.receive(UnsafeRawBufferPointer(rebasing: bytes[range]), end: end) else {
                throw WireError("the body of call \(header.call) goes past its window or its end")
            }
        case .cancel:
            call?.receiveCancel()
            queue.cancel(header.call)
        case .credit(let count): call?.receiveCredit(count)
        case .reset(let reason): call?.receiveReset(reason)
        case .fork: throw WireError("a FORK to a worker that is no template")
        case .call, .stateReply, .body, .hello, .forked, .response, .acknowledge, .failure, .log, .state:
            throw WireError("a host does not send this frame: \(message.name)")
        }
    }

    private func receive(_ welcome: Welcome) throws(WireError) {
        guard self.welcome == nil else { throw WireError("a second WELCOME") }
        guard welcome.version == Frame.protocolVersion else {
            throw WireError("protocol version \(welcome.version); this SDK speaks \(Frame.protocolVersion)")
        }
        guard welcome.window > 0 else { throw WireError("a window of 0 bytes") }
        self.welcome = welcome
        queue.bound(Int(welcome.concurrency))
        try link.isWelcome()
    }

    /// The call begins to run when the loop has read what is there.
    private func start(
        _ header: FrameHeader, _ payload: inout ByteReader, _ arrival: ContinuousClock.Instant
    ) throws(WireError) {
        let received = try ReceivedCall(from: &payload)
        guard let welcome else { throw WireError("a CALL before WELCOME") }
        let ahead = header.isAhead ? link.callsAhead : nil
        guard ahead != nil || calls.count(where: { !$0.isAhead }) < Int(welcome.concurrency) else {
            throw WireError("more than \(welcome.concurrency) calls at once")
        }
        var body = InboundBody(window: Int(welcome.window))
        guard body.receive(payload.rest, end: header.isEnd) else {
            throw WireError("a CALL with more body than its window")
        }
        guard header.call != 0, !calls.contains(where: { $0.id == header.call }) else {
            throw WireError("a CALL with the number \(header.call), which is taken")
        }
        let call = LiveCall(
            id: header.call, received, body: body, window: welcome.window, arrival: arrival, outbox: outbox,
            values: link.values, ahead: ahead, times: welcome.concurrency == 1 ? link.callTimes : nil)
        calls.append(call)
        queue.add(call)
    }
}
