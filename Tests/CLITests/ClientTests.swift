import Admin
import Engine
import Logging
import NIOCore
import NIOPosix
import Storage
import Support
import Synchronization
import Testing
import Workers

@testable import CLI

/// The command line's client against a real admin server without functions.
@Suite struct ClientTests {
    static func withHost(_ body: @Sendable (AdminClient, Store) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(directory: folder)
            let logger = Logger(label: "test")
            let services = AdminServices(
                engine: InvocationEngine(store: store, logger: logger),
                lane: Lane(loop: MultiThreadedEventLoopGroup.singleton.next()), readiness: { [] },
                logs: LogSource(lines: { _ in ["{\"a\":1}", "{\"b\":2}"] }, follow: { _ in AsyncStream { nil } }),
                reload: { ReloadDocument(functions: 0) })
            let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
            let server = AdminServer(host: "127.0.0.1", port: 0, services: services, logger: logger) {
                listening.yield($0)
            }
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                var iterator = ports.makeAsyncIterator()
                if let port = await iterator.next() {
                    try await body(AdminClient(address: AdminAddress(host: "127.0.0.1", port: port)), store)
                }
                group.cancelAll()
                // Cancelled, it may end with an error; the test is over.
                while let result = await group.nextResult() { _ = result }
            }
            try store.close()
        }
    }

    @Test("without a host the user is told how to start one, and how to name another")
    func nobody() async throws {
        let client = AdminClient(address: AdminAddress(host: "127.0.0.1", port: 1))
        let failure = await #expect(throws: Failure.self) { try await client.send(.get, Target("healthz")) }
        #expect(failure?.status == .unavailable)
        #expect(
            failure?.description
                == "no host answers on 127.0.0.1:1; start one with 'apus serve', or name another with --admin")
    }

    @Test("documents, lines, bytes and problems come through as they are")
    func exchange() async throws {
        try await Self.withHost { client, store async throws in
            let list = try await client.get(FunctionListDocument.self, Target("v1", "functions"))
            #expect(list.functions.isEmpty)
            let key = Target("v1", "state", "shop", "order/1 ä?")
            _ = try await client.send(.put, key, body: [0, 255, 10], type: "application/octet-stream")
            let stored = try store.value("order/1 ä?", in: "shop")?.value
            #expect(stored == [0, 255, 10])
            let read = try await client.send(.get, key)
            #expect(read == [0, 255, 10])
            let lines = Mutex<[String]>([])
            try await client.lines(Target("v1", "logs")) { line in
                lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
            let gathered = lines.withLock { $0 }
            #expect(gathered == ["{\"a\":1}", "{\"b\":2}"])
            let failure = await #expect(throws: Failure.self) {
                try await client.send(.get, Target("v1", "functions", "none"))
            }
            #expect(failure?.status == .noInput)
            #expect(failure?.description == "There is no such thing: no function is named 'none'")
        }
    }

    @Test("an answer that is of another version is told in words")
    func otherVersion() async throws {
        try await Self.withHost { client, _ async throws in
            let failure = await #expect(throws: Failure.self) {
                _ = try await client.get(NamespaceListDocument.self, Target("v1", "functions"))
            }
            #expect(failure?.status == .software)
            #expect(failure?.description.contains("is not the admin API of this version of Apus; use") == true)
            #expect(failure?.description.contains("Decoding") == false)
        }
    }
}
