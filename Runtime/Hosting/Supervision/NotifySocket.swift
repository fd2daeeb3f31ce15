import Glibc

/// The datagram socket of a service manager.
struct NotifySocket: Sendable {
    private let path: String

    /// - Parameter path: of a socket in the file system; or after `@`, its name in the abstract namespace (unix(7)).
    init(path: String) { self.path = path }

    /// Sends one datagram. Returns what went wrong.
    func send(_ text: String) -> String? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count <= capacity else { return "its path is longer than \(capacity) bytes" }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // A name in the abstract namespace ends where the address does, not at a zero.
        let size = MemoryLayout<sockaddr_un>.offset(of: \.sun_path).map { $0 + bytes.count } ?? 0
        return Self.open { descriptor in
            let message = Array(text.utf8)
            let sent = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, socklen_t(size))
                }
            }
            return sent == message.count ? nil : String(cString: strerror(errno))
        }
    }

    private static func open(_ body: (Int32) -> String?) -> String? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        // A manager that does not read must not hold up the host.
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return body(descriptor)
    }
}
