import Glibc
import Logging
import NIOCore
import NIOPosix
import Support
import Synchronization
import Testing

@testable import Hosting

@Suite("The watchdog")
struct WatchdogTests {
    /// A part that answers when it is let.
    private final class Part: Sendable {
        private struct State {
            var isStuck = false
            var asked = 0
            var callers: [CheckedContinuation<Void, Never>] = []
        }

        private let waiting = Mutex(State())

        var asked: Int { waiting.withLock { $0.asked } }

        func answer() async {
            await withCheckedContinuation { continuation in
                let isStuck = waiting.withLock { state in
                    state.asked += 1
                    if state.isStuck { state.callers.append(continuation) }
                    return state.isStuck
                }
                if !isStuck { continuation.resume() }
            }
        }

        func getStuck() { waiting.withLock { $0.isStuck = true } }

        func goOn() {
            let callers = waiting.withLock { state in
                state.isStuck = false
                defer { state.callers = [] }
                return state.callers
            }
            for caller in callers { caller.resume() }
        }
    }

    private static func watchdog(
        _ parts: [String: @Sendable () async -> Void], limit: Duration = .seconds(60), telling path: String
    ) -> Watchdog {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let supervisor = Supervisor(NotifySocket(path: path), logger: logger)
        return Watchdog(
            limit: limit, probes: parts.map { Watchdog.Probe(name: $0, ask: $1) }, supervisor: supervisor,
            logger: logger)
    }

    @Test("gives a sign of life only when all parts have answered what they were asked before")
    func signs() async throws {
        try await withTemporaryFolder { folder in
            let manager = try DatagramReceiver(path: folder + "/notify")
            let writer = Part()
            let watchdog = Self.watchdog(["writer": writer.answer], telling: folder + "/notify")
            watchdog.ask()
            #expect(await eventually { watchdog.look([]).isEmpty })
            #expect(manager.next() == "WATCHDOG=1")
            // What was asked with that look must be answered before the part is stuck.
            #expect(await eventually { watchdog.look([]).isEmpty && writer.asked > 1 })
            writer.getStuck()
            #expect(await eventually { watchdog.look([]) == ["writer"] })
            manager.drain()
            let asked = writer.asked
            for _ in 0..<3 { #expect(watchdog.look(["writer"]) == ["writer"]) }
            #expect(manager.next(within: 10) == nil)
            // One question at a time: a part that hangs for long does not collect them.
            #expect(writer.asked == asked)
            writer.goOn()
            #expect(await eventually { watchdog.look(["writer"]).isEmpty })
            #expect(manager.next() == "WATCHDOG=1")
        }
    }

    @Test("notices an event loop that is blocked, and that it goes on")
    func blockedLoop() async throws {
        try await withTemporaryFolder { folder in
            let manager = try DatagramReceiver(path: folder + "/notify")
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let loop = group.next()
            let gate = Gate()
            let watchdog = Self.watchdog(
                ["lane 0": { try? await loop.submit {}.get() }], limit: .milliseconds(40), telling: folder + "/notify")
            let service = Task { try await watchdog.run() }
            #expect(manager.next() == "WATCHDOG=1")
            loop.execute { gate.wait() }
            // Signs that were earned before may still come.
            #expect(await eventually { manager.next(within: 200) == nil })
            gate.open()
            #expect(manager.next() == "WATCHDOG=1")
            service.cancel()
            try await service.value
            try await group.shutdownGracefully()
        }
    }
}

/// Blocks threads until it is opened.
private final class Gate: Sendable {
    private let isOpen = Atomic(false)

    func open() { isOpen.store(true, ordering: .releasing) }
    func wait() { while !isOpen.load(ordering: .acquiring) { usleep(1000) } }
}
