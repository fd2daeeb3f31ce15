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

/// A socket that listens. Blocking, since a thread of its own waits on it.
struct ListeningSocket {
    /// Owned by the caller from now on.
    let descriptor: CInt
    let address: SocketAddress

    init(host: String, port: Int) throws(GatewayError) {
        let wanted = try Self.resolve(host, port)
        let family = wanted.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failure(errno, host, port) }
        var one: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
        let bound = wanted.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        guard bound == 0, listen(descriptor, 4096) == 0 else {
            let code = errno
            close(descriptor)
            throw Self.failure(code, host, port)
        }
        self.descriptor = descriptor
        address = Self.boundAddress(descriptor, wanted)
    }

    /// `wanted` with the port that the system has picked.
    private static func boundAddress(_ descriptor: CInt, _ wanted: SocketAddress) -> SocketAddress {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        // `sin_port` and `sin6_port` are at the same place, in network order.
        let port = withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
        var address = wanted
        if result == 0 { address.port = Int(port) }
        return address
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
