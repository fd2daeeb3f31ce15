import CProcess
import Glibc
import NIOPosix
import Synchronization

/// Waits for the end of every child on one thread, and reaps it.
///
/// Process-wide, like the children themselves. It lives as long as the process.
final class ExitWatch: Sendable {
    static let shared = ExitWatch()

    private struct Watched {
        let process: WorkerProcess
        let onExit: @Sendable (ProcessExit) -> Void
    }

    private let epoll = apus_epoll_create()
    private let watched = Mutex<[Int32: Watched]>([:])
    private let thread = NIOThreadPool(numberOfThreads: 1)

    private init() {
        // Without it, `add` fails, and with it each start.
        guard epoll >= 0 else { return }
        thread.start()
        thread.submit { [self] _ in
            while true { waitForExits() }
        }
    }

    /// Calls `onExit` once, on the watching thread, after `process` has ended and is reaped.
    ///
    /// - Parameter pidfd: of the process; closed here.
    /// - Returns: 0 or an errno.
    func add(_ process: WorkerProcess, pidfd: Int32, onExit: @escaping @Sendable (ProcessExit) -> Void) -> Int32 {
        watched.withLock { $0[pidfd] = Watched(process: process, onExit: onExit) }
        let outcome = apus_epoll_add(epoll, pidfd, UInt64(pidfd))
        if outcome < 0 { watched.withLock { $0[pidfd] = nil } }
        return -outcome
    }

    private func waitForExits() {
        let ended = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { keys in
            (0..<max(0, Int(apus_epoll_wait(epoll, keys.baseAddress, 64)))).map { Int32(truncatingIfNeeded: keys[$0]) }
        }
        for pidfd in ended {
            guard let watched = watched.withLock({ $0.removeValue(forKey: pidfd) }) else { continue }
            let exit = watched.process.reap()
            close(pidfd)
            watched.onExit(exit)
        }
    }
}
