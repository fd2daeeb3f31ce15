import Glibc
import Logging
import NIOPosix
import Synchronization

/// Accepts connections on a thread of its own.
///
/// One queue for all lanes, dealt out in turn, keeps the lanes even, where `SO_REUSEPORT` hashes clients to lanes by
/// luck and lets a second host on the same address go unnoticed.
final class Acceptor: Sendable {
    /// In microseconds, after an error: most often the process is out of descriptors, and connections wait in the
    /// kernel's queue until some are free.
    private static let pause: UInt32 = 100_000

    private let descriptor: CInt
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let isStopped = Atomic(false)
    private let logger: Logger

    /// - Parameter descriptor: a blocking socket that listens; the acceptor owns it.
    init(descriptor: CInt, logger: Logger) {
        self.descriptor = descriptor
        self.logger = logger
    }

    /// - Parameter accepted: gets each connection's descriptor, and owns it.
    func start(_ accepted: @escaping @Sendable (CInt) -> Void) {
        thread.start()
        thread.submit { [self] state in
            if case .active = state { accept(accepted) }
        }
    }

    /// Returns when no more connection will be accepted.
    func stop() async {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        // Wakes the thread from `accept`, with EINVAL.
        shutdown(descriptor, CInt(SHUT_RDWR))
        try? await thread.shutdownGracefully()
        // Not before: the number could by now be another's, which the line above would have shut down.
        close(descriptor)
    }

    private func accept(_ accepted: (CInt) -> Void) {
        var isPausing = false
        while !isStopped.load(ordering: .sequentiallyConsistent) {
            let connection = Glibc.accept(descriptor, nil, nil)
            let code = errno
            if connection >= 0 {
                // `accept4` would do it in one step, but Glibc's module has it not; workers are started without any
                // descriptor but their own, so that nothing is lost in between.
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                isPausing = false
                accepted(connection)
            } else if code != EINTR, code != ECONNABORTED, !isStopped.load(ordering: .sequentiallyConsistent) {
                if !isPausing { logger.error("accepting pauses", metadata: ["error": "\(String(errno: code))"]) }
                isPausing = true
                usleep(Self.pause)
            }
        }
    }
}
