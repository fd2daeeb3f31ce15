import Glibc
import NIOCore

/// Why the gateway cannot serve, and what to do about it.
package struct GatewayError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case address, inUse, notPermitted, notAvailable, failed
    }

    package var code: Code
    package var description: String
}

/// A socket that listens. Every lane accepts from a duplicate of it, so that connections go to lanes that have time,
/// and a second host on the same address is still refused (which `SO_REUSEPORT` would let in).
struct ListeningSocket {
    /// Owned by the caller from now on.
    let descriptor: CInt

    init(host: String, port: Int) throws(GatewayError) {
        let address = try Self.resolve(host, port)
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failure(errno, host, port) }
        var one: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
        let bound = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        guard bound == 0, listen(descriptor, 4096) == 0 else {
            let code = errno
            close(descriptor)
            throw Self.failure(code, host, port)
        }
        self.descriptor = descriptor
    }

    /// Another descriptor for the same socket.
    func duplicate() throws(GatewayError) -> CInt {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else {
            throw GatewayError(code: .failed, description: "cannot listen on every lane: \(String(errno: errno))")
        }
        return copy
    }

    private static func resolve(_ host: String, _ port: Int) throws(GatewayError) -> SocketAddress {
        do {
            return try SocketAddress.makeAddressResolvingHost(host, port: port)
        } catch {
            throw GatewayError(
                code: .address,
                description: "cannot listen on \(host):\(port): '\(host)' is not an address of this machine or a name "
                    + "that leads to one; try 127.0.0.1 (this machine only) or 0.0.0.0 (every interface)")
        }
    }

    private static func failure(_ code: CInt, _ host: String, _ port: Int) -> GatewayError {
        let (kind, advice): (GatewayError.Code, String) =
            switch code {
            case EADDRINUSE:
                (.inUse, "another program listens there ('ss -ltnp' shows which); stop it, or choose another port")
            case EACCES, EPERM:
                (.notPermitted, "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one")
            case EADDRNOTAVAIL:
                (.notAvailable, "this machine has no such address; 'ip address' lists those it has")
            default: (.failed, String(errno: code))
            }
        return GatewayError(code: kind, description: "cannot listen on \(host):\(port): \(advice)")
    }
}

extension String {
    /// What `strerror_r(3)` says.
    init(errno code: CInt) {
        self = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            buffer.initialize(repeating: 0)
            guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else {
                return "error \(code)"
            }
            return String(cString: base)
        }
    }
}

/// Keeps a listener from spinning when the process is out of descriptors or memory: accepting pauses for a moment, while
/// connections wait in the kernel's queue.
final class AcceptGuard: ChannelDuplexHandler {
    typealias InboundIn = Channel
    typealias OutboundIn = Never

    static let pause = TimeAmount.milliseconds(100)
    private static let exhausted = [EMFILE, ENFILE, ENOBUFS, ENOMEM]
    private let report: (any Error) -> Void
    private var isPaused = false

    /// - Parameter report: called once a pause.
    init(report: @escaping (any Error) -> Void) { self.report = report }

    func read(context: ChannelHandlerContext) {
        if !isPaused { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isPaused, let error = error as? IOError, Self.exhausted.contains(error.errnoCode) else { return }
        isPaused = true
        report(error)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = bound.value
            handler.isPaused = false
            context.read()
        }
    }
}
