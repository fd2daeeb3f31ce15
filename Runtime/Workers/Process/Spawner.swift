import CProcess
import Glibc
import NIOCore
import NIOPosix

/// Starts processes, all from one thread that never ends: a child dies with the thread that has started it
/// (`PR_SET_PDEATHSIG`), and that thread waits until the child has called `execve`.
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
    }

    /// One that starts a program waits for it to be loaded, and others can start theirs meanwhile.
    private let thread = NIOThreadPool(numberOfThreads: min(4, System.coreCount))

    private init() {
        // Whoever started the host may have left it with SIGCHLD ignored, and then no child's exit can be known
        // (waitpid(2), NOTES).
        signal(SIGCHLD, SIG_DFL)
        thread.start()
    }

    /// Runs `body` on the spawning thread.
    func submit(_ body: @escaping @Sendable () -> Void) { thread.submit { _ in body() } }

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
        let spawned = plan.directory.withCString { directory in
            var request = apus_spawn_plan(
                path: arguments.pointer[0], arguments: arguments.pointer, environment: environment.pointer,
                directory: directory, descriptors: plan.descriptors, memory: UInt64(max(0, plan.memory)),
                files: Self.files)
            return apus_spawn(&request)
        }
        guard spawned.error == 0 else { throw Self.failure(plan, spawned) }
        let process = WorkerProcess(pid: spawned.pid)
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
        return CallFailure(.startFailed, "cannot start \(object): \(step): \(describe(spawned.error))")
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
