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

/// A socket that listens, without blocking: a thread of its own waits for its connections and for the end.
struct ListeningSocket {
    /// Connections that the kernel keeps until they are accepted.
    static let backlog: CInt = 4096

    /// Owned by the caller from now on.
    let descriptor: CInt
    let address: SocketAddress
    /// Whoever has started the host keeps it, too: it goes on listening, and must not be shut down.
    let isInherited: Bool

    /// Takes a socket that listens already, such as one of systemd's.
    init(inherited descriptor: CInt) throws(GatewayError) {
        guard Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
            Self.option(SO_ACCEPTCONN, of: descriptor) == 1, let address = Self.address(of: descriptor)
        else {
            throw GatewayError(
                code: .address,
                description:
                    "descriptor \(descriptor), which was passed to listen on, is not a TCP socket that listens; "
                    + "'ListenStream=HOST:PORT' in a socket unit makes one")
        }
        // Of the socket, not of the descriptor: systemd's stays as it is made here, which is what it is for.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        self.descriptor = descriptor
        self.address = address
        isInherited = true
    }

    init(host: String, port: Int) throws(GatewayError) {
        let wanted = try Self.resolve(host, port)
        let family = wanted.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failure(errno, host, port) }
        var one: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
        let bound = wanted.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        guard bound == 0, listen(descriptor, Self.backlog) == 0 else {
            let code = errno
            close(descriptor)
            throw Self.failure(code, host, port)
        }
        self.descriptor = descriptor
        address = Self.address(of: descriptor) ?? wanted
        isInherited = false
    }

    /// Where it is bound, with the port that the system may have picked; `nil` when that is not the Internet.
    private static func address(of descriptor: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard result == 0 else { return nil }
        return withUnsafeBytes(of: storage) { bytes in
            switch CInt(storage.ss_family) {
            case AF_INET: SocketAddress(bytes.load(as: sockaddr_in.self))
            case AF_INET6: SocketAddress(bytes.load(as: sockaddr_in6.self))
            default: nil
            }
        }
    }

    private static func option(_ name: CInt, of descriptor: CInt) -> CInt? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
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
