package import Admin
import Engine
package import Events
import Logging
package import Manifests
import NIOCore
import NIOPosix
import Storage
import WorkerAPI
import Workers

/// Runs one event again and again on workers that have run nothing, and on workers that have run it before.
///
/// What it does to the state stays in a data folder of its own, in which each run finds nothing.
package struct LeakCheck: Sendable {
    package struct Runs: Sendable {
        /// By workers that had run nothing.
        package var fresh: [Answer] = []
        /// By workers that had run the event before.
        package var reused: [Answer] = []
        /// Workers that were to be reused, and ended instead.
        package var lost = 0
    }

    /// What one run came to.
    package struct Answer: Sendable, Equatable {
        package var outcome = Outcome.succeeded
        /// Why it did not succeed.
        package var reason: String?
        /// Of an HTTP request.
        package var head: ResponseHead?
        package var body: [UInt8] = []
        /// What it has left in its namespace.
        package var state: [StateEntry] = []

        package init() {}
    }

    /// Reused workers, and calls that each of them runs after its first.
    private static let (workers, calls) = (3, 3)
    private static let freshRuns = 5

    private let manifest: Manifest
    private let event: InvocationRequest
    private let earlier: [InvocationRequest]

    /// - Parameter earlier: what reused workers run besides, before the event.
    package init(_ manifest: Manifest, event: InvocationRequest, after earlier: [InvocationRequest]) {
        self.manifest = manifest
        self.event = event
        self.earlier = earlier
    }

    /// - Throws: a `Problem` of an event that the function cannot have, or whatever keeps it from running at all.
    package func run() async throws -> Runs {
        try await ScratchFolder.with(prefix: "apus-check") { folder in
            let store = try Store(directory: folder)
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            do {
                let runs = try await run(store, group)
                try await group.shutdownGracefully()
                try store.close()
                return runs
            } catch {
                // The reason to end is worth more than what closing may say.
                try? await group.shutdownGracefully()
                try? store.close()
                throw error
            }
        }
    }

    private func run(_ store: Store, _ group: MultiThreadedEventLoopGroup) async throws -> Runs {
        let directory = AccessDirectory()
        let bench = LeakBench(manifest, store: store, lane: Lane(loop: group.next()), directory: directory)
        let server = WorkerAPIServer(
            directory: directory, logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        var runs = Runs()
        try await server.serving { runs = try await run(on: bench) }
        return runs
    }

    private func run(on bench: LeakBench) async throws -> Runs {
        var runs = Runs()
        try await addFresh(Self.freshRuns, to: &runs, bench)
        for _ in 0..<Self.workers { try await addReused(to: &runs, bench) }
        // What differs might do so now and then anyway: more fresh ones, after the reused ones.
        if runs.reused.contains(where: { !runs.fresh.contains($0) }) {
            try await addFresh(2 * Self.freshRuns, to: &runs, bench)
        }
        return runs
    }

    private func addFresh(_ count: Int, to runs: inout Runs, _ bench: LeakBench) async throws {
        let pool = bench.pool(.fresh)
        try await bench.using(pool) {
            for _ in 0..<count { runs.fresh.append(try await bench.answer(event, pool)) }
        }
    }

    private func addReused(to runs: inout Runs, _ bench: LeakBench) async throws {
        let pool = bench.pool(.reuse)
        try await bench.using(pool) {
            // The first call of a worker finds it fresh, unless something else comes before.
            if earlier.isEmpty { runs.fresh.append(try await bench.answer(event, pool)) }
            for request in earlier { _ = try await bench.answer(request, pool) }
            for _ in 0..<Self.calls { runs.reused.append(try await bench.answer(event, pool)) }
        }
        runs.lost += pool.snapshot.started - 1
    }
}
