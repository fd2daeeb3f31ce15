import CProcess
import Glibc
import Manifests
import NIOPosix
import Synchronization

/// Starts processes, all from threads that never end: a child dies with the thread that has started it
/// (`PR_SET_PDEATHSIG`), and that thread waits until the child has called `execve`.
///
/// A thread is under the filter that its children inherit. Setting one up costs the kernel 240 µs, nearly as much as
/// the start itself, since it translates the filter into machine code; inheriting one costs nothing.
final class Spawner: Sendable {
    static let shared = Spawner()

    /// Open files that one worker may have.
    private static let files: UInt64 = 4096

    struct Plan {
        /// Absolute path and arguments.
        var command: [String]
        var directory: String
        var environment: [String: String]
        /// Bytes; 0 for no limit.
        var memory: Int64
        /// What become descriptors 0 to 3; -1 for none.
        var descriptors: (Int32, Int32, Int32, Int32)
        /// By which its processes are known.
        var mark: WorkerMark
        /// The filter that the spawning thread is under.
        var filter: FilterKind?
        /// Landlock's; -1 for none.
        var ruleset: Int32
        /// `cgroup.procs` of its control group; -1 for none.
        var controlGroup: Int32
        /// It gives way to all others, until `WorkerProcess.hurry`; where the host could not end that, it starts as usual.
        var isCalm: Bool
        /// What its sandbox refuses.
        var refusals: RefusalLog
    }

    private let threads = Mutex<[FilterKind?: SpawnerThread]>([:])
    /// Tells filters the host's own calls from those of workers.
    private let cookie = UInt64.random(in: 1 ... .max)

    /// Whether a calm start can end: as root, or where RLIMIT_NICE lets it (`LimitNICE=` of systemd).
    private let canHurry = apus_can_hurry() != 0

    private init() {
        // Whoever started the host may have left it with SIGCHLD ignored, and then no child's exit can be known
        // (waitpid(2), NOTES).
        signal(SIGCHLD, SIG_DFL)
        // A thread inherits the filter of the one that makes it: what spawning threads use has its own before.
        _ = ExitWatch.shared
        _ = NIOThreadPool.singleton
        _ = AuditListener.shared
    }

    /// Runs `body` on the spawning thread under `filter`, with what keeps that thread from being so.
    func submit(under filter: FilterKind?, _ body: @escaping @Sendable (CallFailure?) -> Void) {
        let thread = threads.withLock { threads in
            if let thread = threads[filter] { return thread }
            let thread = SpawnerThread(filter?.filter(cookie: cookie))
            threads[filter] = thread
            return thread
        }
        thread.submit(body)
    }

    /// Starts a process; to be called on the spawning thread. `onExit` is called once, on a thread of its own.
    func spawn(
        _ plan: Plan, onExit: @escaping @Sendable (ProcessExit) -> Void
    ) throws(CallFailure) -> WorkerProcess {
        let arguments = CStrings(plan.command)
        let environment = CStrings(plan.environment.map { "\($0.key)=\($0.value)" })
        defer {
            arguments.free()
            environment.free()
        }
        let isCalm = plan.isCalm && canHurry
        let spawned = plan.directory.withCString { directory in
            var request = apus_spawn_plan(
                path: arguments.pointer[0], arguments: arguments.pointer, environment: environment.pointer,
                directory: directory, descriptors: plan.descriptors, memory: UInt64(max(0, plan.memory)),
                files: Self.files, mark: plan.mark.value, cookie: plan.filter == nil ? 0 : cookie,
                ruleset: plan.ruleset, control_group: plan.controlGroup, is_calm: isCalm ? 1 : 0)
            return apus_spawn(&request)
        }
        if spawned.pid > 0 {
            plan.refusals.hasStarted(spawned.pid)
            if plan.ruleset >= 0 { AuditListener.shared?.admit(spawned.pid, plan.refusals) }
        }
        guard spawned.error == 0 else {
            // What kept it from starting may be a refusal, which the kernel is about to tell.
            AuditListener.shared?.dismiss(spawned.pid)
            throw Self.failure(plan, spawned)
        }
        let process = WorkerProcess(pid: spawned.pid, mark: plan.mark, isCalm: isCalm)
        let error = ExitWatch.shared.add(process, pidfd: spawned.pidfd, onExit: onExit)
        guard error == 0 else {
            process.signalGroup(SIGKILL)
            _ = process.reap()
            close(spawned.pidfd)
            throw CallFailure(.startFailed, "cannot watch \(plan.command[0]): epoll_ctl: \(describe(error))")
        }
        return process
    }

    private static func failure(_ plan: Plan, _ spawned: apus_spawned) -> CallFailure {
        let step = String(cString: spawned.step)
        let object = step == "chdir" ? plan.directory : plan.command[0]
        var advice = ""
        if step == "execve", spawned.error == EACCES, plan.ruleset >= 0 {
            advice =
                "; if its permissions allow it, the sandbox may not: an interpreter in an odd place, for one; "
                + "name its folder in 'sandbox.read'"
        }
        return CallFailure(.startFailed, "cannot start \(object): \(step): \(describe(spawned.error))\(advice)")
    }
}

/// A thread that starts processes, under one filter.
private final class SpawnerThread: Sendable {
    private let thread = NIOThreadPool(numberOfThreads: 1)
    /// Answers for those that this one starts; made before the filter, under which it could not be.
    private let answering = NIOThreadPool(numberOfThreads: 1)
    /// Set on the thread itself, before anything else runs there.
    private let obstacle = Mutex<CallFailure?>(nil)

    init(_ filter: apus_filter?) {
        thread.start()
        guard let filter else { return }
        answering.start()
        thread.submit { [self] _ in
            let outcome = withUnsafePointer(to: filter) { apus_filter_enter($0) }
            if outcome.error != 0 {
                let step = String(cString: outcome.step)
                let failure = CallFailure(
                    .startFailed,
                    "the sandbox cannot be set up: \(step): \(describe(outcome.error)); "
                        + "'sandbox: off' in the manifest does without")
                obstacle.withLock { $0 = failure }
            } else if outcome.listener >= 0 {
                answering.submit { [listener = outcome.listener] _ in
                    SandboxGuard.shared.answer(listener, filter)
                }
            }
        }
    }

    func submit(_ body: @escaping @Sendable (CallFailure?) -> Void) {
        thread.submit { [self] _ in body(obstacle.withLock { $0 }) }
    }
}

/// What an errno means, in words.
func describe(_ error: Int32) -> String { String(cString: strerror(error)) }

/// A null-terminated array of C strings, to be freed by hand.
private struct CStrings {
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointer = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { pointer[index] = strdup(string) }
        pointer[count] = nil
    }

    func free() {
        for index in 0..<count { Glibc.free(pointer[index]) }
        pointer.deallocate()
    }
}
