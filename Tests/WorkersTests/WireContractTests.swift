import Events
import Manifests
import NIOCore
import Support
import Testing
import Wire
import Workers

/// Programs that send frames which the SDK never would, made by the shell.
@Suite("The host's side of the worker protocol", .serialized, .timeLimit(.minutes(2)))
struct WireContractTests {
    private static let hello = Frame(call: 0, .hello(Hello(triggers: 0xFFFF & ~Hello.canShare, sdk: "test")))
    private static let response = Message.response(status: 200, headers: [], body: .bytes(Array("ok".utf8)), end: true)

    @Test("takes frames in whatever pieces they arrive")
    func pieces() async throws {
        let bytes = encode(Frame(call: 1, Self.response))
        let script = bytes.map { "\(printf([$0])); sleep 0.01" }.joined(separator: "; ")
        try await World.with(worker(script)) { world in
            let text = try await world.request("/").text()
            #expect(text == "ok")
        }
    }

    @Test("refuses a worker that speaks another version")
    func version() async throws {
        let hello = Frame(call: 0, .hello(Hello(version: 9, triggers: 1, sdk: "test")))
        try await World.with(Handlers.impostor(printf(encode(hello)) + "; sleep 60")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("protocol version 9"))
        }
    }

    @Test(
        "kills a worker that breaks the contract",
        arguments: [
            [Message.acknowledge],
            [.body(.bytes([1]), end: true)],
            [.response(status: 200, headers: [], body: .bytes([]), end: false), response],
            [.goodbye],
            [.hello(Hello(triggers: 1, sdk: "again"))],
        ])
    func violations(_ messages: [Message]) async throws {
        let script = messages.map { printf(encode(Frame(call: 1, $0))) }.joined(separator: "; ")
        try await World.with(worker(script)) { world in
            await #expect(throws: CallFailure.self) { try await world.request("/").text() }
            #expect(await eventually { world.lines.first(.host, containing: "broke the contract") != nil })
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("hears nothing that comes behind a violation")
    func afterViolation() async throws {
        let write = Message.state(request: 0, scope: 1, .set(key: "late", value: [1]))
        let frames = [Message.body(.bytes([1]), end: true), write].flatMap { encode(Frame(call: 1, $0)) }
        try await World.with(worker(printf(frames + [UInt8](repeating: 0xFF, count: 64)))) { world in
            let state = MemoryState()
            await #expect(throws: CallFailure.self) { try await world.request("/", state: state) }
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
            #expect(state.operations.isEmpty)
            #expect(world.lines.all.count { $0.text.contains("broke the contract:") && $0.level == "error" } == 1)
        }
    }

    @Test("kills a worker that sends more of a body than it was granted")
    func window() async throws {
        let open = encode(Frame(call: 1, .response(status: 200, headers: [], body: .bytes([]), end: false)))
        var header = encode(Frame(call: 1, .body(.bytes([]), end: false)))
        header.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(300_000).littleEndian, Array.init))
        let script = "\(printf(open)); \(printf(header)); head -c 300000 /dev/zero >&3"
        try await World.with(worker(script)) { world in
            let response = try await world.request("/")
            await #expect(throws: CallFailure.self) { try await response.text() }
            #expect(await eventually { world.lines.first(.host, containing: "a BODY past its window") != nil })
        }
    }

    @Test("kills a worker that grants more of a body than it was sent")
    func credit() async throws {
        try await World.with(worker(printf(encode(Frame(call: 1, .credit(1)))))) { world in
            let body = BodyStream()
            await #expect(throws: CallFailure.self) { try await world.request("/", body: .stream(body)).text() }
            #expect(await eventually { world.lines.first(.host, containing: "a CREDIT of more than") != nil })
        }
    }

    @Test("fails one call for an impossible status, and keeps the worker")
    func status() async throws {
        let message = Message.response(status: 42, headers: [], body: .bytes([]), end: true)
        try await World.with(worker(printf(encode(Frame(call: 1, message))))) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .handlerFailed)
            #expect(world.pool.snapshot.workers.map(\.state) == ["idle"])
        }
    }

    @Test("reads no more than 16 MiB of what waits for a commit")
    func waitingOperations() async throws {
        let (size, count) = (1 << 20, 40)
        let commit = encode(Frame(call: 1, .state(request: 0, scope: 1, .commit)))
        // The value follows.
        var head = encode(Frame(call: 1, .state(request: 0, scope: 2, .set(key: "a", value: []))))
        let payload = head.count - Frame.headerSize + size
        head.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(payload).littleEndian, Array.init))
        head.replaceSubrange((head.count - 4)..., with: withUnsafeBytes(of: UInt32(size).littleEndian, Array.init))
        let script = """
            \(printf(commit))
            for i in {1..\(count)}; do
                \(printf(head))
                (sleep 1; echo "waits with $i of \(count)") 3>&- & watch=$!
                head -c \(size) /dev/zero >&3
                kill $watch
            done
            \(printf(encode(Frame(call: 1, Self.response))))
            """
        try await World.with(worker(script)) { world in
            let (isOver, end) = AsyncStream.makeStream(of: Void.self)
            let state = MemoryState { for await _ in isOver { return } }
            async let text = world.request("/", state: state).text()
            // Some were read, and are not all.
            #expect(
                await eventually {
                    (16...20).contains { world.lines.first(.stdout, containing: "waits with \($0) ") != nil }
                })
            #expect(state.operations.isEmpty)
            end.yield()
            let answer = try await text
            #expect(answer == "ok")
            #expect(state.operations.count == count)
        }
    }

    @Test("ends a worker that closes its connection and stays")
    func closedSocket() async throws {
        try await World.with(worker("exec 3>&-")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .workerDied)
            #expect(failure.message.contains("closed its connection"))
        }
    }

    /// A program that says hello, waits for its first call, and then runs `script`.
    private func worker(_ script: String) -> Manifest {
        let welcome = Welcome(concurrency: 1, window: 256 << 10, function: "contract")
        let size = encode(Frame(call: 0, .welcome(welcome))).count + Frame.headerSize
        return Handlers.impostor(
            "\(printf(encode(Self.hello))); head -c \(size) <&3 >/dev/null; \(script); sleep 60 3>&-")
    }

    private func encode(_ frame: Frame) -> [UInt8] {
        var writer = ByteWriter()
        frame.encode(into: &writer)
        return writer.bytes
    }

    private func printf(_ bytes: [UInt8]) -> String {
        let digits = bytes.map { byte in
            let digits = String(byte, radix: 16)
            return "\\x" + (digits.count == 1 ? "0" : "") + digits
        }
        return "printf '\(digits.joined())' >&3"
    }
}
