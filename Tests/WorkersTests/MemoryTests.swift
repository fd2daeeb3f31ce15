import Foundation
import Manifests
import NIOCore
import Support
import Testing
import Workers

/// Workers of the apus contract with which the host shares memory.
@Suite("Memory that host and worker share", .timeLimit(.minutes(2)))
struct MemoryTests {
    @Test("carries what another implementation writes, in whatever pieces", arguments: ["well", "pieces"])
    func pieces(_ mode: String) async throws {
        try await World.with(sharing(mode)) { world in
            for _ in 0..<3 {
                let text = try await world.request("/").text()
                #expect(text == "ok")
            }
        }
    }

    @Test("gives what the worker wrote last, though it rang no bell and has ended")
    func ends() async throws {
        try await World.with(sharing("ends")) { world in
            let text = try await world.request("/").text()
            #expect(text == "ok")
        }
    }

    @Test("kills a worker that breaks the contract in it", arguments: ["written", "noise"])
    func violations(_ mode: String) async throws {
        try await World.with(sharing(mode)) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .contractBroken)
            #expect(await eventually { world.lines.first(.host, containing: "broke the contract") != nil })
            #expect(await eventually { world.pool.snapshot.workers.isEmpty })
        }
    }

    @Test("is not for a worker that sends more than HELLO before it has WELCOME")
    func early() async throws {
        try await World.with(sharing("early")) { world in
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .startFailed)
            #expect(failure.message.contains("more than HELLO"))
        }
    }

    @Test("kills a worker that says it took more than there was, at the next call")
    func taken() async throws {
        try await World.with(sharing("taken")) { world in
            let text = try await world.request("/").text()
            #expect(text == "ok")
            let failure = try await world.failure(of: "/")
            #expect(failure.code == .contractBroken)
        }
    }

    @Test("cannot be taken away by the worker")
    func truncation() async throws {
        try await World.with(sharing("truncate")) { world in
            let text = try await world.request("/").text()
            #expect(text == "refused")
        }
    }

    @Test("carries bodies that are many times as large, of calls that run side by side")
    func largeBodies() async throws {
        let manifest = Handlers.contractWorker { $0.workers.concurrency = 8 }
        try await World.with(manifest) { world in
            let body = ByteBuffer(bytes: (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 >> 12) })
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        let echo = try await world.request("/echo", body: .bytes(body)).bytes()
                        #expect(echo == body)
                    }
                }
                try await group.waitForAll()
            }
            #expect(world.pool.snapshot.workers.count == 1)
        }
    }

    /// `sharing.py`.
    private func sharing(_ mode: String) -> Manifest {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Servers/sharing.py"
        return Handlers.manifest(
            Handler(command: ["/usr/bin/python3", script, mode], contract: .apus, directory: "/"),
            [.http(Handlers.anyPath)]
        ) { _ in }
    }
}
