import Glibc
import Synchronization

/// Which port a server gets next: each once before any comes again. Knows no sockets.
///
/// The ports are those from 20,000 on that the kernel gives to nobody by itself: one of its own choice could go to
/// somebody else between the choice and the server's `bind`, and connecting to one on which nobody listens yet can
/// connect a socket with itself.
package struct PortRotation: Sendable {
    private static let candidates = 20_000..<65_536

    private let below: Range<Int>
    private let above: Range<Int>
    private var position: Int
    private var taken: Set<Int> = []

    /// - Parameters:
    ///   - ephemeral: what the kernel chooses from (ip(7), `ip_local_port_range`).
    ///   - start: where to begin; random, so that two hosts do not go side by side.
    package init(ephemeral: ClosedRange<Int>, start: Int) {
        below = Self.candidates.clamped(to: 0..<max(0, ephemeral.lowerBound))
        above = Self.candidates.clamped(to: ephemeral.upperBound + 1..<max(65_536, ephemeral.upperBound + 1))
        position = start
    }

    package var count: Int { below.count + above.count }

    /// The next port that no server has; `nil` when there is none.
    package mutating func next() -> Int? {
        for _ in 0..<count {
            let index = position % count
            position = index + 1
            let port = index < below.count ? below.lowerBound + index : above.lowerBound + index - below.count
            if taken.insert(port).inserted { return port }
        }
        return nil
    }

    package mutating func release(_ port: Int) { taken.remove(port) }
}

/// Gives servers ports to listen on. Between the look whether a port is free and the server's own `bind` somebody may
/// take it; then the server ends, and is started again with another.
final class PortAllocator: Sendable {
    static let shared = PortAllocator()

    private let rotation: Mutex<PortRotation>

    private init() {
        rotation = Mutex(PortRotation(ephemeral: Self.ephemeral, start: .random(in: 0..<65_536)))
    }

    func take() throws(CallFailure) -> Int {
        for _ in 0..<rotation.withLock({ $0.count }) {
            guard let port = rotation.withLock({ $0.next() }) else { break }
            if Self.isFree(port) { return port }
            rotation.withLock { $0.release(port) }
        }
        // All of them may be the kernel's, as in a container that was set up so.
        if let port = Self.bind(0) { return port }
        throw CallFailure(.startFailed, "no port is free for a worker: \(describe(errno))")
    }

    func release(_ port: Int) { rotation.withLock { $0.release(port) } }

    /// Whether nobody would be taken for a server that is to listen there.
    static func isFree(_ port: Int) -> Bool { bind(port) != nil && isFreeOnLoopback6(port) }

    /// Binds `port` of every address and lets it go again. Returns the port; `nil` when it is taken, also by a closed
    /// connection that lingers, which would be in the way of a server that does not set `SO_REUSEADDR`.
    private static func bind(_ port: Int) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        return outcome == 0 ? Int(in_port_t(bigEndian: address.sin_port)) : nil
    }

    /// Whether nobody listens there on `::1` alone.
    private static func isFreeOnLoopback6(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        // A machine without IPv6.
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = in_port_t(port).bigEndian
        inet_pton(AF_INET6, "::1", &address.sin6_addr)
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
        return outcome == 0 || errno != EADDRINUSE
    }

    /// The kernel's own range, or its default.
    private static var ephemeral: ClosedRange<Int> {
        let standard = 32_768...60_999
        guard let file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re") else { return standard }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, 64, file) != nil else { return standard }
        let numbers = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        return numbers.count == 2 && numbers[0] <= numbers[1] ? numbers[0]...numbers[1] : standard
    }
}
