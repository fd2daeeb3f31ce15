import Foundation

/// A blocking HTTP/1.1 client on one connection: small enough to be trusted, and it sends whatever it is told to.
package final class HTTPConnection {
    package struct Response: Sendable, Equatable {
        package var status: Int
        /// Names in lowercase.
        package var headers: [String: String]
        package var body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let socket: Int32
    private var received: [UInt8] = []

    /// - Parameter timeout: seconds after which a read or a write that makes no progress fails.
    package init(port: Int, timeout: Int = 60) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // The socket is closed by `deinit`, also after this.
        guard result == 0 else {
            throw Failure(description: "no connection to port \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(socket) }

    /// The client's port, by which a trace of the server names the connection.
    package var localPort: Int {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Sends a request and reads its whole response.
    package func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) throws -> Response {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if !body.isEmpty || method == "POST" || method == "PUT" { head += "Content-Length: \(body.count)\r\n" }
        try send(Array((head + "\r\n").utf8) + body)
        return try readResponse(to: method)
    }

    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(description: "cannot send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    package func readResponse(to method: String = "GET") throws -> Response {
        while true {
            let response = try readOneResponse(to: method)
            if response.status >= 200 { return response }
        }
    }

    private func readOneResponse(to method: String) throws -> Response {
        let lines = try readHead()
        guard let first = lines.first, let status = Int(first.split(separator: " ").dropFirst().first ?? "") else {
            throw Failure(description: "no status line: \(lines)")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw Failure(description: "no header: \(line)") }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        var response = Response(status: status, headers: headers, body: [])
        guard method != "HEAD", status >= 200, status != 204, status != 304 else { return response }
        if headers["transfer-encoding"] == "chunked" {
            response.body = try readChunks()
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            response.body = try take(length)
        } else {
            while try fill() {}
            response.body = received
            received = []
        }
        return response
    }

    private func readHead() throws -> [String] {
        var searched = 0
        while true {
            if let end = received[searched...].firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                received.removeSubrange(..<end.upperBound)
                return head.components(separatedBy: "\r\n")
            }
            searched = max(0, received.count - 3)
            guard try fill() else {
                throw Failure(description: "the connection closed before a response; got \(received.count) bytes")
            }
        }
    }

    private func readChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = try takeLine()
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
                throw Failure(description: "no chunk: \(line)")
            }
            if size == 0 {
                while try takeLine() != "" {}
                return body
            }
            body += try take(size)
            _ = try take(2)
        }
    }

    private func takeLine() throws -> String {
        while true {
            if let end = received.firstRange(of: Array("\r\n".utf8)) {
                let line = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                received.removeSubrange(..<end.upperBound)
                return line
            }
            guard try fill() else { throw Failure(description: "the connection closed inside a chunk") }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while received.count < count {
            guard try fill() else {
                throw Failure(description: "the connection closed after \(received.count) of \(count) bytes")
            }
        }
        let bytes = Array(received[..<count])
        received.removeSubrange(..<count)
        return bytes
    }

    /// Reads what is there; false at the end of the stream.
    private func fill() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count >= 0 else { throw Failure(description: "cannot read: \(String(cString: strerror(errno)))") }
        received += chunk[..<count]
        return count > 0
    }
}

/// Runs `body` once on each of `count` threads of their own, so that blocking calls starve nobody, and returns what they
/// returned, in order of their index.
package func onThreads<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        for index in 0..<count {
            group.addTask {
                try await withCheckedThrowingContinuation { continuation in
                    let thread = Thread { continuation.resume(with: Result { (index, try body(index)) }) }
                    thread.stackSize = 512 << 10
                    thread.start()
                }
            }
        }
        return try await group.reduce(into: [(Int, Value)]()) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
    }
}
