import CProcess
import Glibc
import Synchronization

/// A child process that leads a process group.
///
/// Its number, and that of the group, stays taken until it is reaped; signals are sent under the same lock, so that none
/// can reach a stranger who got the number afterwards.
final class WorkerProcess: Sendable {
    let pid: Int32
    let mark: WorkerMark
    private let isCalm: Bool
    private let isReaped = Mutex(false)

    /// - Parameter isCalm: it gives way to all others.
    init(pid: Int32, mark: WorkerMark, isCalm: Bool = false) {
        self.pid = pid
        self.mark = mark
        self.isCalm = isCalm
    }

    /// Signals every process of the group, if the leader has not been reaped.
    func signalGroup(_ number: Int32) {
        isReaped.withLock { isReaped in
            if !isReaped { _ = kill(-pid, number) }
        }
    }

    /// Ends the calm of its start, and of all that it has started.
    func hurry() {
        guard isCalm else { return }
        isReaped.withLock { isReaped in
            if !isReaped { apus_hurry(pid) }
        }
    }

    /// Ends what the leader has left behind, then frees its number. Only after its end.
    func reap() -> ProcessExit {
        let exit = apus_exit_peek(pid)
        let mayHaveLeft = SandboxGuard.shared.dismiss(mark)
        AuditListener.shared?.dismiss(pid)
        isReaped.withLock { isReaped in
            _ = kill(-pid, SIGKILL)
            apus_reap(pid)
            isReaped = true
        }
        // Those that have left the group. Nobody starts another now.
        if mayHaveLeft { mark.killAll() }
        if exit.error != 0 { return .unknown(exit.error) }
        return exit.signalled != 0 ? .signal(exit.status) : .status(exit.status)
    }
}
