import Events
import Glibc
import Manifests
import NIOCore
import NIOPosix
import Synchronization

/// A process that runs a handler: started, read, ended. Both contracts build on it.
///
/// Confined to its lane's event loop, except for what says otherwise.
final class HandlerProcess: @unchecked Sendable {
    // `@unchecked`: every stored `var` is touched on `lane.loop` alone; `pidNow` is atomic.

    /// What `SIGTERM` leaves a process to put its things in order.
    private static let grace = TimeAmount.milliseconds(500)
    /// How long a process may start calmly: whoever needs the processors for long must not miss its time to be ready.
    private static let calm = TimeAmount.seconds(1)
    /// How long output that is still in the pipes may take after the exit; longer only when a stranger holds them open.
    private static let lateOutput = TimeAmount.milliseconds(250)

    let manifest: Manifest
    let lane: Lane
    let number: Int
    private let access: WorkerAccess?
    let shelf: FolderShelf?
    let refusals: RefusalLog
    private let output: WorkerOutput
    private let pidNow = Atomic<Int32>(0)
    /// Safe from any thread. 0 while there is none.
    var pid: Int32 { pidNow.load(ordering: .relaxed) }

    private var process: WorkerProcess?
    /// Called once, after the process has ended and its output has been read.
    var onExit: ((ProcessExit) -> Void)?
    private(set) var exit: ProcessExit?
    private var couldNotStart = false
    /// Pipes that are read at the process's end, or soon.
    var unread: [UnreadPipe] = []
    var readTimer: Scheduled<Void>?
    /// Channels on the process's descriptors that are open still, by the order of their coming.
    private var channels: [Int: (channel: EventLoopFuture<any Channel>, pipe: UnreadPipe?)] = [:]
    private var lastChannel = 0
    /// It starts behind all others who want the processors.
    var isCalm = false
    private var killTimer: Scheduled<Void>?
    /// Signal to send as soon as there is a process.
    private var pendingSignal: Int32?
    /// Why the host ended it, if it did.
    private(set) var endedBecause: String?
    /// The last thing that it wrote to standard error.
    var lastErrorLine = ""
    /// Its temporary directory; empty before its start.
    private(set) var folder = ""
    /// The invocation that a line printed now belongs to.
    var currentInvocation: () -> InvocationID? = { nil }

    /// - Parameter access: what the process may reach through the worker API; `nil` where its contract has other ways.
    init(
        _ manifest: Manifest, number: Int, lane: Lane, access: WorkerAccess? = nil,
        shelf: FolderShelf? = nil, output: @escaping WorkerOutput
    ) {
        self.manifest = manifest
        self.number = number
        self.lane = lane
        self.access = access
        self.shelf = shelf
        self.output = output
        refusals = RefusalLog(manifest.name, lane, output)
        refusals.asks { [weak self] in self?.currentInvocation() }
    }

    // MARK: Start

    /// Starts the process on the spawning thread.
    ///
    /// - Parameters:
    ///   - endpoints: what its sandbox lets through, whatever its network.
    ///   - wire: makes the descriptors, on that thread.
    ///   - started: gets the host's ends, which it owns from then on, on the lane.
    ///   - failed: on the lane, instead of all others.
    ///   - exited: on the lane, last.
    func start(
        environment: [String: String] = [:], endpoints: Endpoints = .none,
        wire: @escaping @Sendable () throws(CallFailure) -> Wiring,
        started: @escaping @Sendable (Wiring) -> Void, failed: @escaping @Sendable (CallFailure) -> Void,
        exited: @escaping @Sendable (ProcessExit) -> Void
    ) {
        onExit = exited
        let grant = SandboxSupport.machine.hasWorkerAPI(for: manifest.sandbox) ? access?.grant() : nil
        var endpoints = endpoints
        if let grant { endpoints.connect.append(grant.port) }
        let filter = FilterKind(manifest.sandbox, endpoints, on: .machine)
        Spawner.shared.submit(under: filter) { [self, endpoints, isCalm] obstacle in
            do throws(CallFailure) {
                if let obstacle { throw obstacle }
                let (process, wiring, bounds) = try spawn(environment, endpoints, filter, grant, isCalm, wire)
                lane.loop.execute {
                    self.folder = bounds.folder
                    self.watch(process, bounds.group)
                    self.hasStarted(process, wiring, started)
                }
            } catch {
                grant?.revoke()
                lane.loop.execute {
                    self.hasFailedToStart()
                    failed(error)
                }
            }
        }
    }

    /// Lets it have its full share of the processors.
    func hurry() {
        isCalm = false
        process?.hurry()
    }

    func hasFailedToStart() {
        couldNotStart = true
        killTimer?.cancel()
        // It holds what holds this.
        onExit = nil
    }

    func hasStarted(_ process: WorkerProcess, _ wiring: Wiring, _ started: (Wiring) -> Void) {
        self.process = process
        pidNow.store(process.pid, ordering: .relaxed)
        if isCalm {
            lane.loop.assumeIsolated().scheduleTask(in: Self.calm) { [weak self] in self?.hurry() }
        } else {
            process.hurry()
        }
        say("debug", "worker started")
        readLines(wiring.error, as: .stderr)
        started(wiring)
        if let pendingSignal { process.signalGroup(pendingSignal) }
        // It may have ended before this thread heard of its start.
        if exit != nil { readLast(of: process) }
    }

    // MARK: Output

    /// Waits for `channel`'s end before the process counts as ended.
    ///
    /// - Parameter pipe: what the channel reads.
    func attach(_ channel: EventLoopFuture<any Channel>, reading pipe: UnreadPipe? = nil) {
        lastChannel += 1
        channels[lastChannel] = (channel, pipe)
        channel.flatMap(\.closeFuture).assumeIsolated().whenComplete { [self, id = lastChannel] _ in
            channels[id] = nil
            if exit != nil { finishWhenRead() }
        }
    }

    func emit(
        _ source: WorkerLine.Source, level: String, text: String, invocation: InvocationID?,
        metadata: [HeaderField] = []
    ) {
        output(
            WorkerLine(
                function: manifest.name, worker: pid, invocation: invocation, source: source, level: level, text: text,
                metadata: metadata))
    }

    func say(_ level: String, _ text: String) { emit(.host, level: level, text: text, invocation: nil) }

    // MARK: The end

    /// SIGTERM to the group, and SIGKILL 500 ms later if the process is still there.
    func terminate(because reason: String) {
        guard isAlive, killTimer == nil else { return }
        noteReason(reason)
        signal(SIGTERM)
        killTimer = lane.loop.assumeIsolated().scheduleTask(in: Self.grace) { [self] in
            guard exit == nil else { return }
            say("warning", "worker killed: it did not end within 500 ms of SIGTERM")
            signal(SIGKILL)
        }
    }

    /// SIGKILL to the group.
    func kill(because reason: String) {
        guard isAlive else { return }
        noteReason(reason)
        signal(SIGKILL)
    }

    /// The reason for an end that somebody else brings about, such as a goodbye.
    func noteReason(_ reason: String) {
        if endedBecause == nil { endedBecause = reason }
    }

    /// It runs, or is about to.
    private var isAlive: Bool { exit == nil && !couldNotStart }

    private func signal(_ number: Int32) {
        if let process { process.signalGroup(number) } else { pendingSignal = number }
    }

    /// - Parameter reason: why the kernel ended it, if it did.
    func hasEnded(_ exit: ProcessExit, because reason: String? = nil) {
        self.exit = exit
        killTimer?.cancel()
        refusals.hasEnded(during: currentInvocation())
        if let reason { noteReason(reason) }
        if let process { readLast(of: process) }
    }

    /// What it has written before its end; what others write who hold its descriptors only for a while.
    private func readLast(of process: WorkerProcess) {
        WorkerWatch.shared.remove(process.pid)
        drainUnread()
        finishWhenRead()
        lane.loop.assumeIsolated().scheduleTask(in: Self.lateOutput) { [self] in
            for (channel, pipe) in channels.values {
                // A lane that was busy all the time has not looked.
                if let pipe { drain(pipe) }
                channel.whenSuccess { $0.close(promise: nil) }
            }
        }
    }

    private func finishWhenRead() {
        guard channels.isEmpty, let exit, let onExit else { return }
        self.onExit = nil
        if let endedBecause {
            say("debug", "worker ended (\(exit)): \(endedBecause)")
        } else if exit != .status(0) {
            say("error", "worker ended: \(describe(exit))")
        }
        pidNow.store(0, ordering: .relaxed)
        currentInvocation = { nil }
        onExit(exit)
    }

    /// How it ended, why if the host knows, and what may be behind it.
    func describe(_ exit: ProcessExit) -> String {
        var text = exit.description
        if let endedBecause { return text + "; " + endedBecause }
        let limit = "\(manifest.limits.memory >> 20) MiB (limits.memory)"
        if exit.suggestsMemory { text += "; it may have met its memory limit of " + limit }
        if !lastErrorLine.isEmpty { text += "; its last line on standard error: " + lastErrorLine.prefix(500) }
        return text
    }
}
