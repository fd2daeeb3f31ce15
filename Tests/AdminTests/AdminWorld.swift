import Admin
import Engine
import Events
import Glibc
import Logging
import NIOCore
import NIOPosix
import Storage
import Support
import Synchronization
import Workers

/// An admin server with a store of its own and no functions.
struct AdminWorld: Sendable {
    let port: Int
    let store: Store

    /// What the server is given besides.
    struct Setting: Sendable {
        var checks: [ReadinessCheck] = [ReadinessCheck("store")]
        var problems: [String] = []
        var lines: [String] = []
        /// Those that come to a follower.
        var coming: [String] = []
        let asked = Asked()
    }

    final class Asked: Sendable {
        let queries = Mutex<[LogQuery]>([])
    }

    static func with(_ setting: Setting = Setting(), _ body: @Sendable (AdminWorld) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
            let server = AdminServer(
                host: "127.0.0.1", port: 0, services: services(setting, store), logger: Logger(label: "test")
            ) { listening.yield($0) }
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                var iterator = ports.makeAsyncIterator()
                if let port = await iterator.next() {
                    try await body(AdminWorld(port: port, store: store))
                }
                group.cancelAll()
                // Cancelled, it may end with an error; the test is over.
                while let result = await group.nextResult() { _ = result }
            }
            try store.close()
        }
    }

    private static func services(_ setting: Setting, _ store: Store) -> AdminServices {
        let logger = Logger(label: "test")
        return AdminServices(
            engine: InvocationEngine(store: store, logger: logger),
            lane: Lane(loop: MultiThreadedEventLoopGroup.singleton.next()), readiness: { setting.checks },
            logs: LogSource(
                lines: { query in
                    setting.asked.queries.withLock { $0.append(query) }
                    return setting.lines
                },
                follow: { _ in
                    AsyncStream { continuation in
                        for line in setting.lines + setting.coming { continuation.yield(line) }
                        continuation.finish()
                    }
                }),
            reload: {
                setting.problems.isEmpty
                    ? ReloadDocument(functions: 2, changed: ["hello"]) : ReloadDocument(problems: setting.problems)
            })
    }

    /// One request on a connection of its own.
    func send(_ method: String, _ target: String, _ headers: [String] = [], body: String = "") async throws -> Answer {
        let head =
            ["\(method) \(target) HTTP/1.1", "Connection: close", "Content-Length: \(body.utf8.count)"]
            + (headers.contains { $0.hasPrefix("Host:") } ? headers : headers + ["Host: 127.0.0.1"])
        return try await send(raw: head.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    func send(raw text: String) async throws -> Answer {
        let port = port
        let answer = try await NIOThreadPool.singleton.runIfActive { Self.exchange(port, Array(text.utf8)) }
        return Answer(String(decoding: answer, as: UTF8.self))
    }

    private static func exchange(_ port: Int, _ request: [UInt8]) -> [UInt8] {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0, write(descriptor, request, request.count) == request.count else { return [] }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return answer }
            answer += buffer[..<count]
        }
    }
}

struct Answer {
    let status: Int
    let head: String
    /// Without the lengths of chunks.
    let body: String

    init(_ text: String) {
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        head = String(parts[0])
        status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let rest = parts.count > 1 ? String(parts[1]) : ""
        guard head.lowercased().contains("transfer-encoding: chunked") else {
            body = rest
            return
        }
        let lines = rest.split(separator: "\r\n", omittingEmptySubsequences: false)
        body = lines.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }.joined()
    }
}
