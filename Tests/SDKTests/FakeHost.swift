import Apus
import Foundation
import Glibc
import Support
import Synchronization
import Wire

/// The host's end of a real socket pair, with a worker's loop on a thread of its own at the other.
final class FakeHost: Sendable {
    private let socket: Int32
    private let frames = Mutex<AsyncStream<Frame>.AsyncIterator?>(nil)
    private let endings: AsyncStream<WorkerEnding>

    init(_ make: @escaping @Sendable () -> any Function) {
        var ends: [Int32] = [-1, -1]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        socket = ends[0]
        let workerEnd = ends[1]
        let (endings, ended) = AsyncStream.makeStream(of: WorkerEnding.self)
        self.endings = endings
        Thread.detachNewThread {
            let ending = try? WorkerLoop(make(), socket: workerEnd).run()
            close(workerEnd)
            if let ending { ended.yield(ending) }
            ended.finish()
        }
        let (stream, sink) = AsyncStream.makeStream(of: Frame.self)
        // A descriptor of its own: it may still read when the other is closed, and its number is another's by then.
        let reading = dup(socket)
        precondition(reading >= 0)
        Thread.detachNewThread {
            Self.read(from: reading, into: sink)
            close(reading)
        }
        frames.withLock { $0 = stream.makeAsyncIterator() }
    }

    deinit {
        hangUp()
        close(socket)
    }

    private static func read(from socket: Int32, into sink: AsyncStream<Frame>.Continuation) {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = recv(socket, &chunk, chunk.count, 0), count > 0 {
            bytes += chunk[..<count]
            var offset = 0
            bytes.withUnsafeBytes { input in
                while let frame = (try? Frame.decode(from: input, at: &offset)) ?? nil {
                    sink.yield(frame.owned(input))
                }
            }
            bytes.removeFirst(offset)
        }
        sink.finish()
    }

    /// The next frame that the worker sends; `nil` once it has closed its end.
    func next() async -> Frame? {
        var iterator = frames.withLock { $0 }
        return await iterator?.next(isolation: nil)
    }

    /// How the worker's loop ended.
    func ending() async -> WorkerEnding? { await endings.first { _ in true } }

    func send(_ frames: Frame...) {
        var writer = ByteWriter()
        for frame in frames { frame.encode(into: &writer) }
        sendRaw(writer.bytes)
    }

    func sendRaw(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if sent <= 0 { return }
            rest = rest.dropFirst(sent)
        }
    }

    /// Closes the host's end, as if it had died.
    func hangUp() { shutdown(socket, Int32(SHUT_RDWR)) }

    /// Takes HELLO and answers it.
    func greet(concurrency: UInt32 = 8, window: UInt32 = 1 << 16) async -> Hello? {
        guard case .hello(let hello) = await next()?.message else { return nil }
        send(Frame(call: 0, .welcome(Welcome(concurrency: concurrency, window: window, function: "test"))))
        return hello
    }

    func get(_ path: String, call: UInt32 = 1, query: String = "", parameters: [WireField] = []) {
        request("GET", path, call: call, query: query, parameters: parameters, body: [], end: true)
    }

    func request(
        _ method: String, _ path: String, call: UInt32 = 1, query: String = "", parameters: [WireField] = [],
        headers: [WireField] = [], body: [UInt8], end: Bool
    ) {
        let request = WireRequest(
            method: method, path: path, query: query, remoteAddress: "127.0.0.1:1", parameters: parameters,
            headers: headers)
        let head = CallHead(
            kind: .http, invocation: WireID(high: 1, low: UInt64(call)), attempt: 1, time: 10_000_000, request: request)
        send(Frame(call: call, .call(head, body: .bytes(body), end: end)))
    }

    func event(_ kind: CallHead.Kind, _ attributes: [WireField], call: UInt32 = 1) {
        let head = CallHead(
            kind: kind, invocation: WireID(high: 1, low: 2), attempt: 3, time: 10_000_000, attributes: attributes)
        send(Frame(call: call, .call(head, body: .bytes([]), end: true)))
    }
}
