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

    private let socket: ListeningSocket
    /// A byte in it ends the wait for connections.
    private let wake: (reader: CInt, writer: CInt)
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let isStopped = Atomic(false)
    private let logger: Logger

    /// - Parameter socket: its descriptor is the acceptor's from now on.
    init(_ socket: ListeningSocket, logger: Logger) throws(GatewayError) {
        self.socket = socket
        self.logger = logger
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            let code = errno
            close(socket.descriptor)
            throw GatewayError(code: .failed, description: "cannot accept connections: \(String(errno: code))")
        }
        wake = (ends[0], ends[1])
    }

    /// - Parameter accepted: gets each connection's descriptor, and owns it.
    func start(_ accepted: @escaping @Sendable (CInt) -> Void) {
        thread.start()
        thread.submit { [self] state in
            if case .active = state { accept(accepted) }
        }
    }

    /// Returns when no more connection will be accepted. To a client, one that the kernel has put into its queue is
    /// open, and a request may be on its way: those of a socket of our own are accepted first; those of an inherited one
    /// wait for the next host.
    func stop() async {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        var byte: UInt8 = 0
        write(wake.writer, &byte, 1)
        try? await thread.shutdownGracefully()
        // Not before: the thread waits on them.
        for descriptor in [socket.descriptor, wake.reader, wake.writer] { close(descriptor) }
    }

    private func accept(_ accepted: (CInt) -> Void) {
        var isPausing = false
        while !isStopped.load(ordering: .sequentiallyConsistent) {
            switch acceptOne(accepted) {
            case .accepted: isPausing = false
            case .none: waitForMore()
            case .failed(let code):
                if !isPausing { logger.error("accepting pauses", metadata: ["error": "\(String(errno: code))"]) }
                isPausing = true
                usleep(Self.pause)
            }
        }
        guard !socket.isInherited else { return }
        // No more than can have been in the queue then: clients that go on coming must not keep the host.
        for _ in 0..<ListeningSocket.backlog { guard case .accepted = acceptOne(accepted) else { return } }
    }

    private enum Attempt {
        case accepted, none
        case failed(CInt)
    }

    private func acceptOne(_ accepted: (CInt) -> Void) -> Attempt {
        while true {
            let connection = Glibc.accept(socket.descriptor, nil, nil)
            let code = errno
            if connection >= 0 {
                // `accept4` would do it in one step, but Glibc's module has it not; workers are started without any
                // descriptor but their own, so that nothing is lost in between.
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                accepted(connection)
                return .accepted
            }
            switch code {
            case EINTR, ECONNABORTED: continue
            case EAGAIN: return .none
            default: return .failed(code)
            }
        }
    }

    private func waitForMore() {
        let events = Int16(POLLIN)
        var sources = [
            pollfd(fd: socket.descriptor, events: events, revents: 0),
            pollfd(fd: wake.reader, events: events, revents: 0),
        ]
        // Whatever ends it, a look at the queue follows.
        poll(&sources, nfds_t(sources.count), -1)
    }
}
