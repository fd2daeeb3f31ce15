import Events
import Glibc
import NIOPosix

/// A blocking socket that sends exactly the bytes it is given. Its calls run on threads of their own, so that a test
/// that waits keeps no other from going on.
final class Client: Sendable {
    struct Response: Sendable, Equatable {
        var status = 0
        var headers: [HeaderField] = []
        var body: [UInt8] = []

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    struct Failure: Error { var what: String }

    /// More than there are tests that run at once; Dispatch would let some wait for others.
    private static let threads = {
        let threads = NIOThreadPool(numberOfThreads: 100)
        threads.start()
        return threads
    }()

    private let descriptor: CInt
    private let rest = Rest()

    /// What has been read past the last response. Used by one call at a time: a test awaits each.
    private final class Rest: @unchecked Sendable {
        var bytes: [UInt8] = []
        var atEnd = false
    }

    /// - Parameter receiveBuffer: bytes; small ones make a slow reader felt soon.
    init(port: Int, receiveBuffer: CInt? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<CInt>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    deinit { Glibc.close(descriptor) }

    // MARK: Sending

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await onThread { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure(what: "send: \(errno) after \(sent) bytes") }
                sent += count
            }
        }
    }

    /// Sends until the other side has taken no more for 200 ms. Returns the number of bytes that went out.
    func sendUntilBlocked(_ bytes: [UInt8]) async throws -> Int {
        try await onThread { [descriptor] in
            var sent = 0
            var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            while sent < bytes.count, Glibc.poll(&poll, 1, 200) > 0 {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
                }
                guard count > 0 else { break }
                sent += count
            }
            return sent
        }
    }

    func closeOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Leaves at once: the other side's next write fails.
    func reset() {
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    // MARK: Receiving

    /// The next response.
    ///
    /// - Parameter toHead: whether the request was `HEAD`, so that there is no body.
    func receive(toHead: Bool = false) async throws -> Response {
        try await onThread { [self] in
            let lines = try readHead().split(separator: "\r\n", omittingEmptySubsequences: false)
            var response = Response()
            response.status = Int(lines[0].split(separator: " ")[1]) ?? 0
            for line in lines.dropFirst() where !line.isEmpty {
                let parts = line.split(separator: ":", maxSplits: 1)
                response.headers.append(HeaderField(String(parts[0]), String(parts[1].drop { $0 == " " })))
            }
            if toHead || response.status < 200 || response.status == 204 || response.status == 304 { return response }
            if let length = response.headers.first("Content-Length").flatMap({ Int($0) }) {
                response.body = try take(length)
            } else if response.headers.first("Transfer-Encoding") == "chunked" {
                response.body = try readChunks()
            } else {
                response.body = try readToEnd()
            }
            return response
        }
    }

    /// All bytes until the other side closes.
    func receiveToEnd() async throws -> String {
        try await onThread { [self] in String(decoding: try readToEnd(), as: UTF8.self) }
    }

    /// Whether the other side closes, or resets, without sending more.
    func isClosed() async throws -> Bool {
        try await onThread { [self] in
            do { return try readToEnd().isEmpty } catch { return errno == ECONNRESET }
        }
    }

    /// Bytes of the chunks until the last; the head, and as much of the first chunks as `skip` took, are gone.
    func receiveToEndOfChunks() async throws -> Int {
        try await onThread { [self] in
            var count = 0
            while !rest.bytes.suffix(5).elementsEqual("0\r\n\r\n".utf8) {
                count += max(0, rest.bytes.count - 5)
                rest.bytes.removeFirst(max(0, rest.bytes.count - 5))
                try fill()
            }
            return count + rest.bytes.count
        }
    }

    func skip(_ count: Int) async throws { _ = try await onThread { [self] in try take(count) } }

    private func readHead() throws -> String {
        let mark = Array("\r\n\r\n".utf8)
        var searched = 0
        while true {
            if let index = rest.bytes.firstIndex(of: mark, from: max(0, searched - 3)) {
                let head = String(decoding: rest.bytes[..<index], as: UTF8.self)
                rest.bytes.removeFirst(index + 4)
                return head
            }
            searched = rest.bytes.count
            try fill()
        }
    }

    private func readChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            while !rest.bytes.contains(UInt8(ascii: "\n")) { try fill() }
            let line = rest.bytes.prefix { $0 != UInt8(ascii: "\n") }
            rest.bytes.removeFirst(line.count + 1)
            let size = Int(String(decoding: line.dropLast(), as: UTF8.self), radix: 16) ?? -1
            guard size >= 0 else { throw Failure(what: "chunk size \(Array(line))") }
            body += try take(size)
            _ = try take(2)
            if size == 0 { return body }
        }
    }

    private func readToEnd() throws -> [UInt8] {
        while !rest.atEnd { try fill(endIsFine: true) }
        defer { rest.bytes = [] }
        return rest.bytes
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while rest.bytes.count < count { try fill() }
        defer { rest.bytes.removeFirst(count) }
        return Array(rest.bytes.prefix(count))
    }

    private func fill(endIsFine: Bool = false) throws {
        let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
            count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
        }
        if chunk.isEmpty { rest.atEnd = true }
        rest.bytes += chunk
        if chunk.isEmpty, !endIsFine { throw Failure(what: "the other side has closed (\(errno)) after \(rest.bytes)") }
    }

    private func onThread<Result: Sendable>(
        _ work: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await Self.threads.runIfActive(work)
    }
}

extension [UInt8] {
    fileprivate func firstIndex(of mark: [UInt8], from start: Int) -> Int? {
        guard count >= mark.count, start <= count - mark.count else { return nil }
        return (start...(count - mark.count)).first { self[$0..<($0 + mark.count)].elementsEqual(mark) }
    }
}
