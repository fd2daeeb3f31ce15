import Events
import Manifests
import NIOCore
import NIOHTTP1
import NIOPosix

/// The Lambda Runtime API of one worker on a port of its own on 127.0.0.1: a thin shell around `RuntimeState`.
final class RuntimeEndpoint: @unchecked Sendable {
    // `@unchecked`: confined to `loop`, the lane's event loop.

    /// What a runtime gets to exit after it said that it cannot start.
    private static let farewell = TimeAmount.seconds(1)
    /// Connections that a runtime may have at once.
    private static let mostConnections = 64

    let process: HandlerProcess
    let reports: WorkerReports
    let function: LambdaFunction
    var state = RuntimeState()
    var call: LambdaCall?
    /// Of the streamed response that is coming.
    var prelude: ResponsePrelude?
    /// The connection on which it comes.
    var streaming: RuntimeConnection?
    /// The invocation that runs or ran last, for lines that are printed.
    var current: InvocationID?
    var connections: [RuntimeState.Connection: RuntimeConnection] = [:]
    /// The worker is being stopped, or is gone.
    var isClosing = false
    private var lastConnection = 0
    private var server: (any Channel)?
    private var startTimer: Scheduled<Void>?
    /// Why the worker cannot be used, when the host knows better than its exit says.
    private var startFailure: String?
    /// Why it cannot be used, in the words of its function.
    private var initError: FunctionError?
    private var hasEnded = false

    var loop: any EventLoop { process.lane.loop }

    init(_ process: HandlerProcess, reports: WorkerReports) {
        self.process = process
        self.reports = reports
        function = LambdaFunction(process.manifest)
        process.currentInvocation = { [weak self] in self?.current }
    }

    // MARK: Life

    /// Listens on a free port, then calls `body` with it.
    func listen(_ body: @escaping @Sendable (_ port: Int) -> Void) {
        let bootstrap = ServerBootstrap(group: loop)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.accept(channel) } }
        bootstrap.bind(host: "127.0.0.1", port: 0).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel):
                server = channel
                awaitFirstPoll()
                body(channel.localAddress?.port ?? 0)
            case .failure(let error):
                failedToStart(CallFailure(.startFailed, "cannot start a worker: no port on 127.0.0.1: \(error)"))
            }
        }
    }

    private func awaitFirstPoll() {
        let limit = function.startLimit
        startTimer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(limit.nanoseconds)) { [self] in
            refuse("it did not ask for its first event within \(limit.components.seconds) s of its start")
        }
    }

    func failedToStart(_ failure: CallFailure) {
        process.say("error", failure.message)
        end()
        reports.exited(failure.message)
    }

    /// Gives up on a worker that has not become ready.
    private func refuse(_ reason: String) {
        startFailure = "the worker cannot start: \(reason)"
        process.say("error", "the worker cannot start: \(reason)")
        process.kill(because: reason)
    }

    /// The process is gone.
    func processEnded(_ exit: ProcessExit) {
        let wasStarting = state.isStarting
        let how = process.describe(exit)
        let call = self.call
        let wasWithdrawn = state.withdraw()
        self.call = nil
        end()
        if let call { lose(call, wasWithdrawn: wasWithdrawn, how) }
        let why = startFailure ?? (wasStarting ? "the worker ended before it was ready: \(how)" : how)
        if let initError { reports.couldNotInitialise(why, initError) } else { reports.exited(why) }
    }

    private func lose(_ call: LambdaCall, wasWithdrawn: Bool, _ how: String) {
        switch (wasWithdrawn, call.call.body) {
        case (true, .bytes): call.resume(nil)
        case (true, .stream):
            // What has been read of it has gone with this worker.
            let reason = "the worker ended before it had the call, whose body cannot be sent twice: \(how)"
            call.fail(CallFailure(.workerDied, reason))
        case (false, _):
            call.fail(CallFailure(.workerDied, "the worker ended in the middle of the call: \(how)"))
        }
        call.end()
    }

    private func end() {
        hasEnded = true
        isClosing = true
        startTimer?.cancel()
        server?.close(promise: nil)
        server = nil
        // It holds this.
        streaming = nil
        for connection in connections.values { connection.close() }
    }

    /// Takes no more calls, and ends the process.
    func stop(because reason: String) {
        if !isClosing {
            isClosing = true
            if state.isReady { reports.closing() }
        }
        process.terminate(because: reason)
    }

    // MARK: Connections

    private func accept(_ channel: any Channel) throws {
        guard !hasEnded, connections.count < Self.mostConnections else { return channel.close(promise: nil) }
        lastConnection += 1
        let connection = RuntimeConnection(lastConnection, of: self)
        connections[lastConnection] = connection
        try RuntimeConnection.addHandlers(connection, to: channel)
    }

    func closed(_ connection: RuntimeConnection) {
        connections[connection.id] = nil
        guard state.closed(connection.id) else { return }
        let hadBegun = prelude?.isOver == true
        prelude = nil
        guard hadBegun, let call else { return }
        // What was streamed cannot be taken back.
        call.fail(CallFailure(.workerDied, "the function's response broke off"))
        stop(because: "its response broke off")
    }

    // MARK: Requests

    /// Decides what a request is. `nil` for one that asks for an event.
    func receive(_ request: RuntimeRequest, on connection: RuntimeConnection) -> RuntimeState.Reception? {
        request == .next ? nil : state.receive(request, on: connection.id)
    }

    /// The runtime asks for an event.
    func poll(_ connection: RuntimeConnection) {
        let wasStarting = state.isStarting
        switch state.receive(.next, on: connection.id) {
        case .give: give(to: connection)
        case .refuse(let refusal): connection.answer(status: refusal.status, json: ByteBuffer(string: refusal.json))
        case .wait, .takeResponse, .takeError, .takeInitError: break
        }
        guard wasStarting, state.isReady else { return }
        startTimer?.cancel()
        reports.ready(0)
    }

    func complete(_ post: RuntimePost, _ trailers: HTTPHeaders?, on connection: RuntimeConnection) {
        if post.kind == .takeInitError { noteInitError(post.error) } else { conclude(post, trailers) }
        loop.assumeIsolated().execute { connection.answer(status: 202, json: Self.accepted) }
    }

    private static let accepted = ByteBuffer(string: #"{"status":"OK"}"# + "\n")

    private func noteInitError(_ error: FunctionError) {
        startTimer?.cancel()
        initError = error
        startFailure = "the function cannot be initialised: \(error.description)"
        process.say("error", "the function cannot be initialised: \(error.description)")
        loop.assumeIsolated().scheduleTask(in: Self.farewell) { [process] in
            process.terminate(because: "it said that it cannot start")
        }
    }
}
