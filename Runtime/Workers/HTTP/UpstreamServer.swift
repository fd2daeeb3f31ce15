import Events
import Manifests
import NIOCore

/// A worker's HTTP server: its process, its connections and its calls. Confined to its lane's loop.
///
/// No call can be aborted by itself. To close its connection is all that can be said, and a server that is busy does not
/// hear it. Hence:
///
/// | the call ends early | the server runs one call at once | it runs several |
/// |---|---|---|
/// | its time is up | the process is ended | no more calls; the process is ended when its others are over |
/// | … and its response had begun | the process is ended | its connection is closed |
/// | its caller has gone | it gets 2 s to answer, then the process is ended | its connection is closed |
/// | … and its response had begun | its connection is closed | its connection is closed |
final class UpstreamServer: @unchecked Sendable {
    // `@unchecked`: every `var` is touched on the lane's loop alone.

    enum Phase {
        /// Until it accepts, or says that it is healthy.
        case starting
        case ready
        /// Takes no more calls.
        case closing
        case ended
    }

    let process: HandlerProcess
    let reports: WorkerReports
    var phase = Phase.starting
    var port = 0
    /// Where it listens; IPv4 and IPv6 while that is not known.
    var addresses: [SocketAddress] = []
    var calls: [ObjectIdentifier: HTTPExchange] = [:]
    var idle = IdleConnections<UpstreamConnection>()
    /// Why the worker is being stopped, once a call gave reason to.
    var stopReason: String?
    /// The last call that ended, for lines that arrive after it.
    var lastEnded: (invocation: InvocationID?, at: NIODeadline)?
    var started = ContinuousClock.Instant.now
    /// Why it is not ready, when the host knows better than its exit says.
    var startFailure: String?
    /// What its health path last gave.
    var lastHealth = ""

    var loop: any EventLoop { process.lane.loop }
    var runsOneCall: Bool { process.manifest.workers.concurrency == 1 }

    init(_ process: HandlerProcess, reports: WorkerReports) {
        self.process = process
        self.reports = reports
        process.currentInvocation = { [weak self] in self?.currentInvocation }
    }

    // MARK: Life

    func start() {
        do throws(CallFailure) {
            port = try PortAllocator.shared.take()
            addresses = ["127.0.0.1", "::1"].compactMap { try? SocketAddress(ipAddress: $0, port: port) }
        } catch {
            return failedToStart(error)
        }
        // A server that asks for its address gets one that nobody reaches past the host.
        var environment = ["PORT": String(port)]
        if process.manifest.environment["HOST"] == nil { environment["HOST"] = "127.0.0.1" }
        process.start(
            environment: environment, endpoints: Endpoints(listen: [port]), wire: Wiring.outputs
        ) { [self] wiring in
            process.readLines(wiring.output, as: .stdout)
            started = .now
            probe()
        } failed: { [self] failure in
            failedToStart(failure)
        } exited: { [self] exit in
            processEnded(exit)
        }
    }

    private func failedToStart(_ failure: CallFailure) {
        phase = .ended
        PortAllocator.shared.release(port)
        process.say("error", failure.message)
        reports.exited(failure.message)
    }

    private func processEnded(_ exit: ProcessExit) {
        let (wasStarting, wasReady) = (phase == .starting, phase == .ready)
        phase = .ended
        PortAllocator.shared.release(port)
        for connection in idle.takeAll() { connection.close() }
        let how = process.describe(exit)
        let failure = CallFailure(.workerDied, "the worker ended in the middle of the call: \(how)")
        // First, or each call that ends would make room for the next in line.
        if wasReady { reports.closing() }
        for exchange in Array(calls.values) { end(exchange, failure) }
        reports.exited(startFailure ?? (wasStarting ? "the worker ended before it was ready: \(how)" : how))
    }

    /// It runs no call and gets no more.
    func stop(because reason: String) {
        if phase != .ended { phase = .closing }
        for connection in idle.takeAll() { connection.close() }
        process.terminate(because: reason)
    }

    /// It gets no more calls, and goes once nobody waits for any of those that it has.
    func retire(_ reason: String) {
        stopReason = stopReason ?? reason
        if phase == .ready {
            phase = .closing
            reports.closing()
        }
        endIfIdle()
    }

    func endIfIdle() {
        guard phase == .closing, let stopReason, calls.isEmpty, process.endedBecause == nil else { return }
        process.say("warning", "worker stopped: \(stopReason)")
        stop(because: stopReason)
    }

    // MARK: Connections

    /// A new connection to `address`; `nil` when it does not accept.
    func open(_ address: SocketAddress, _ opened: @escaping (UpstreamConnection?) -> Void) {
        let connection = UpstreamConnection(
            UpstreamConnection.Reports(
                ended: { [weak self] in self?.ended($0, on: $1) },
                failed: { [weak self] in self?.failed($0, on: $1, why: $2) },
                closed: { [weak self] connection in self?.idle.remove { $0 === connection } }))
        let channel = connection.connect(to: address, on: loop)
        process.attach(channel)
        channel.assumeIsolated().whenComplete { result in
            if case .success = result, !connection.isOwnPeer { return opened(connection) }
            connection.close()
            opened(nil)
        }
    }

    /// Keeps a connection for the next call, if it can be used for one.
    func keep(_ connection: UpstreamConnection, timeout: Duration?) {
        guard connection.isOpen, phase == .ready else { return connection.close() }
        idle.put(connection, timeout: timeout, now: .now)
    }

    // MARK: Output

    /// How long after a call's end a line counts as printed by it, when no other runs.
    private static let lateLine = TimeAmount.milliseconds(100)

    /// The invocation that what the worker prints now belongs to, when that is certain.
    private var currentInvocation: InvocationID? {
        if let only = calls.first?.value { return calls.count == 1 ? only.invocation : nil }
        guard let lastEnded, .now() - lastEnded.at < Self.lateLine else { return nil }
        return lastEnded.invocation
    }
}
