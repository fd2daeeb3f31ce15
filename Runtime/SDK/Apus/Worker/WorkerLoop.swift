import Glibc
import Synchronization
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
    private let socket: Int32
    private let handlers: Handlers
    private let alarm: Alarm
    private let executor: LoopExecutor
    private let outbox: Outbox
    private let finished = FinishedCalls()

    private var input = InputBuffer()
    private var calls: [UInt32: RunningCall] = [:]
    private var welcome: Welcome?
    private var leaving = false

    /// Serves `function` over `socket`, which it does not close. To be used on the thread that creates it.
    package init(_ function: any Function, socket: Int32) throws {
        self.socket = socket
        handlers = Handlers(function)
        alarm = try Alarm()
        executor = LoopExecutor(alarm: alarm)
        outbox = Outbox(alarm: alarm)
    }

    static let sdk = "apus-swift/1"

    /// Serves calls until the connection ends.
    ///
    /// - Parameter saidHello: the host has the worker's HELLO.
    package func run(saidHello: Bool = false) -> WorkerEnding {
        if !saidHello { outbox.send(Frame(call: 0, .hello(Hello(triggers: handlers.triggers, sdk: Self.sdk)))) }
        do {
            while true {
                let busy = executor.runJobs()
                for id in finished.take() { calls[id] = nil }
                let blocked = try outbox.flush(to: socket)
                if leaving, calls.isEmpty, !blocked { return .goodbye }
                guard try sleep(busy: busy, blocked: blocked) else { continue }
                guard try readFrames() else { return .hostGone }
            }
        } catch let error as WireError {
            return .violation(error.description)
        } catch {
            // A socket that can be neither read nor written has nobody at its other end.
            return .hostGone
        }
    }

    /// Waits for something to do. Returns whether the socket can be read.
    private func sleep(busy: Bool, blocked: Bool) throws -> Bool {
        var polled = [
            pollfd(fd: socket, events: Int16(blocked ? POLLIN | POLLOUT : POLLIN), revents: 0),
            pollfd(fd: alarm.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&polled, 2, busy ? 0 : -1) >= 0 else {
            if errno == EINTR { return false }
            throw SystemError("poll", errno)
        }
        if polled[1].revents != 0 { alarm.silence() }
        return polled[0].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0
    }

    /// Takes all frames that are there. `false` at the end of the stream.
    private func readFrames() throws -> Bool {
        guard try input.fill(from: socket) else { return false }
        try input.drain { frame, bytes in try receive(frame, bytes) }
        return true
    }

    // MARK: Frames

    private func receive(_ frame: Frame, _ bytes: UnsafeRawBufferPointer) throws(WireError) {
        // Frames of a call that is over crossed its last one on the way.
        var call: LiveCall? { calls[frame.call]?.link }
        switch frame.message {
        case .welcome(let welcome): try receive(welcome)
        case .goodbye: leaving = true
        case .call(let head, .range(let range), let end):
            try start(frame.call, head, UnsafeRawBufferPointer(rebasing: bytes[range]), end: end)
        case .body(.range(let range), let end):
            guard let call else { return }
            guard call.receive(UnsafeRawBufferPointer(rebasing: bytes[range]), end: end) else {
                throw WireError("the body of call \(frame.call) goes past its window or its end")
            }
        case .cancel: calls[frame.call]?.cancel()
        case .credit(let count): call?.receiveCredit(count)
        case .reset(let reason): call?.receiveReset(reason)
        case .stateReply(let request, let reply): call?.receiveReply(reply, to: request)
        case .fork: throw WireError("a FORK to a worker that is no template")
        case .call, .body, .hello, .forked, .response, .acknowledge, .failure, .log, .state:
            throw WireError("a host does not send this frame: \(frame.message.name)")
        }
    }

    private func receive(_ welcome: Welcome) throws(WireError) {
        guard self.welcome == nil else { throw WireError("a second WELCOME") }
        guard welcome.version == Frame.protocolVersion else {
            throw WireError("protocol version \(welcome.version); this SDK speaks \(Frame.protocolVersion)")
        }
        guard welcome.window > 0 else { throw WireError("a window of 0 bytes") }
        self.welcome = welcome
    }

    private func start(
        _ id: UInt32, _ head: CallHead, _ body: UnsafeRawBufferPointer, end: Bool
    ) throws(WireError) {
        guard let welcome else { throw WireError("a CALL before WELCOME") }
        guard calls.count < Int(welcome.concurrency) else {
            throw WireError("more than \(welcome.concurrency) calls at once")
        }
        let link = LiveCall(id: id, window: welcome.window, outbox: outbox, finished: finished)
        guard link.receive(body, end: end) else { throw WireError("a CALL with more body than its window") }
        // Unstructured, because the loop below it must go on while the call runs; `calls` holds it until it has ended.
        let task = Task(executorPreference: executor) { [handlers, function = welcome.function] in
            await link.finish(with: await handlers.answer(head, function: function, link: link))
        }
        // The task begins to run when the loop has read what is there.
        guard id != 0, calls.updateValue(RunningCall(link: link, task: task), forKey: id) == nil else {
            throw WireError("a CALL with the number \(id), which is taken")
        }
    }
}

private struct RunningCall {
    let link: LiveCall
    let task: Task<Void, Never>

    func cancel() {
        task.cancel()
        link.receiveCancel()
    }
}

/// The calls that are over since the loop last looked.
final class FinishedCalls: Sendable {
    private let ids = Mutex<[UInt32]>([])

    func add(_ id: UInt32) { ids.withLock { $0.append(id) } }

    func take() -> [UInt32] {
        ids.withLock { ids in
            defer { ids.removeAll(keepingCapacity: true) }
            return ids
        }
    }
}
