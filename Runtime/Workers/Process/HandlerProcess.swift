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
    /// How long output that is still in the pipes may take after the exit; longer only when a stranger holds them open.
    private static let lateOutput = TimeAmount.milliseconds(250)

    let manifest: Manifest
    let lane: Lane
    let number: Int
    private let access: WorkerAccess?
    private let shelf: FolderShelf?
    private let output: WorkerOutput
    private let pidNow = Atomic<Int32>(0)
    /// Safe from any thread. 0 while there is none.
    var pid: Int32 { pidNow.load(ordering: .relaxed) }

    private var process: WorkerProcess?
    /// Called once, after the process has ended and its output has been read.
    var onExit: ((ProcessExit) -> Void)?
    private var exit: ProcessExit?
    private var couldNotStart = false
    /// Pipes that are read at the process's end, or soon.
    var unread: [UnreadPipe] = []
    var readTimer: Scheduled<Void>?
    /// Channels on the process's descriptors that are open still, by the order of their coming.
    private var channels: [Int: EventLoopFuture<any Channel>] = [:]
    private var lastChannel = 0
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
    }

    // MARK: Start

    /// Starts the process on the spawning thread.
    ///
    /// - Parameters:
    ///   - wire: makes the descriptors.
    ///   - started: gets the host's ends, which it owns from then on, on the lane.
    ///   - failed: on the lane, instead of all others.
    ///   - exited: on the lane, last.
    func start(
        environment: [String: String] = [:], wire: @escaping @Sendable () throws(CallFailure) -> Wiring,
        started: @escaping @Sendable (Wiring) -> Void, failed: @escaping @Sendable (CallFailure) -> Void,
        exited: @escaping @Sendable (ProcessExit) -> Void
    ) {
        onExit = exited
        Spawner.shared.submit { [self] in
            do throws(CallFailure) {
                let (process, wiring, folder) = try spawn(environment, wire)
                lane.loop.execute {
                    self.folder = folder
                    self.hasStarted(process, wiring, started)
                }
            } catch {
                lane.loop.execute {
                    self.hasFailedToStart()
                    failed(error)
                }
            }
        }
    }

    private func spawn(
        _ more: [String: String], _ wire: () throws(CallFailure) -> Wiring
    ) throws(CallFailure) -> (WorkerProcess, Wiring, folder: String) {
        let surroundings = try WorkerEnvironment(manifest, worker: number, shelf: shelf)
        let grant = access?.grant()
        do throws(CallFailure) {
            var wiring = try wire()
            let plan = Spawner.Plan(
                command: manifest.handler.command, directory: manifest.handler.directory,
                environment: surroundings.variables.merging(more) { _, new in new }
                    .merging(grant?.variables ?? [:]) { _, new in new },
                memory: manifest.limits.memory, descriptors: wiring.worker)
            do throws(CallFailure) {
                let process = try Spawner.shared.spawn(plan) { [self] exit in
                    grant?.revoke()
                    surroundings.remove()
                    lane.loop.execute { self.hasEnded(exit) }
                }
                wiring.closeWorkerEnds()
                return (process, wiring, surroundings.temporaryDirectory)
            } catch {
                wiring.closeAll()
                throw error
            }
        } catch {
            grant?.revoke()
            surroundings.remove()
            throw error
        }
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
        say("debug", "worker started")
        readLines(wiring.error, as: .stderr)
        started(wiring)
        if let pendingSignal { process.signalGroup(pendingSignal) }
        // It may have ended before this thread heard of its start.
        guard exit != nil else { return }
        drainUnread()
        finishWhenRead()
    }

    // MARK: Output

    /// Waits for `channel`'s end before the process counts as ended.
    func attach(_ channel: EventLoopFuture<any Channel>) {
        lastChannel += 1
        channels[lastChannel] = channel
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

    func hasEnded(_ exit: ProcessExit) {
        self.exit = exit
        killTimer?.cancel()
        guard process != nil else { return }
        drainUnread()
        finishWhenRead()
        lane.loop.assumeIsolated().scheduleTask(in: Self.lateOutput) { [self] in
            for channel in channels.values { channel.whenSuccess { $0.close(promise: nil) } }
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
