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
/// What it does to the state, and what it sends, stays in a data folder of its own, in which each run finds nothing.
package struct LeakCheck: Sendable {
    package struct Runs: Sendable {
        /// By workers that had run nothing.
        package var fresh: [Answer] = []
        /// By workers that had run the event before.
        package var reused: [Answer] = []
        /// Workers that were to be reused, and ended instead.
        package var lost = 0
        /// An earlier event that failed: the runs came to an end there.
        package var failedEarlier: Answer?
        /// The last lines that the last run has logged or printed.
        package var lines: [String] = []
    }

    /// What one run has sent to one function.
    package struct Message: Sendable, Equatable {
        /// Who gets it.
        package var function: String
        /// Those of CloudEvents, but for its time, which differs by nature.
        package var attributes: [HeaderField]
        package var data: [UInt8]
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
        /// What it has sent.
        package var messages: [Message] = []

        package init() {}
    }

    /// Reused workers, and calls that each of them runs after its first.
    private static let (workers, calls) = (3, 3)
    private static let freshRuns = 5

    private let manifest: Manifest
    private let manifests: [Manifest]
    private let event: InvocationRequest
    private let earlier: [InvocationRequest]

    /// - Parameters:
    ///   - manifests: all that are declared, which the function may send to.
    ///   - earlier: what reused workers run besides, before the event.
    package init(
        _ manifest: Manifest, among manifests: [Manifest], event: InvocationRequest,
        after earlier: [InvocationRequest]
    ) {
        self.manifest = manifest
        self.manifests = manifests
        self.event = event
        self.earlier = earlier
    }

    /// - Throws: a `Problem` of an event that the function cannot have, or whatever keeps it from running at all.
    package func run() async throws -> Runs {
        try await ScratchFolder.with(prefix: "apus-check") { folder in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            do {
                let runs = try await run(in: folder, group)
                try await group.shutdownGracefully()
                return runs
            } catch {
                // The reason to end is worth more than what closing may say.
                try? await group.shutdownGracefully()
                throw error
            }
        }
    }

    private func run(in folder: String, _ group: MultiThreadedEventLoopGroup) async throws -> Runs {
        let directory = AccessDirectory()
        let lane = Lane(loop: group.next())
        let bench = LeakBench(manifest, among: manifests, in: folder, lane: lane, directory: directory)
        let server = WorkerAPIServer(
            directory: directory, logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        var runs = Runs()
        try await server.serving { runs = try await run(on: bench) }
        return runs
    }

    private func run(on bench: LeakBench) async throws -> Runs {
        var runs = Runs()
        try await addFresh(Self.freshRuns, to: &runs, bench)
        for _ in 0..<Self.workers where runs.failedEarlier == nil { try await addReused(to: &runs, bench) }
        // What differs might do so now and then anyway: more fresh ones, after the reused ones.
        if runs.reused.contains(where: { !runs.fresh.contains($0) }) {
            try await addFresh(2 * Self.freshRuns, to: &runs, bench)
        }
        runs.lines = bench.lines
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
            for request in earlier {
                let answer = try await bench.answer(request, pool)
                guard answer.outcome == .succeeded else {
                    runs.failedEarlier = answer
                    return
                }
            }
            for _ in 0..<Self.calls {
                let started = pool.snapshot.started
                let answer = try await bench.answer(event, pool)
                if pool.snapshot.started == started {
                    runs.reused.append(answer)
                } else {
                    runs.fresh.append(answer)
                    runs.lost += 1
                }
            }
        }
    }
}
