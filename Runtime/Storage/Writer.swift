import Dispatch
import GRDB
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// How well the writer gathers.
package struct WriterStatistics: Sendable, Hashable {
    /// Transactions, each with one `fsync` when it changed anything.
    package var commits = 0
    /// What callers asked for: one unit each.
    package var units = 0
    /// Units that wait now.
    package var waiting = 0
}

/// The thread that makes all changes: it takes what is waiting, runs each unit in a savepoint of one transaction, commits
/// with one `fsync`, and only then resumes the callers.
///
/// A unit that throws is undone alone; when the transaction fails, all its units fail. A caller whose task is cancelled
/// gets its result all the same: what is recorded never depends on who still listens.
final class Writer: Sendable {
    /// A transaction ends after so many units or bytes, so that the first in it does not wait for long.
    static let largestBatch = (units: 512, bytes: 4 << 20)

    fileprivate struct State {
        var units: [Unit] = []
        var statistics = WriterStatistics()
        var sleeps = false
        var isClosed = false
    }

    private let pool: DatabasePool
    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// Starts the thread.
    init(pool: DatabasePool) throws {
        self.pool = pool
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { writer in
                // The pointer is the retained one below, or there would be no thread.
                Unmanaged<Writer>.fromOpaque(writer!).takeRetainedValue().loop()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else {
            Unmanaged.passUnretained(self).release()
            throw StorageError(.failed, "the writer's thread cannot be started: \(String(cString: strerror(code)))")
        }
        pthread_detach(thread)
    }

    var statistics: WriterStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.waiting = state.units.count
            return statistics
        }
    }

    /// Runs `work` within the next transaction; returns or throws after that is on disk.
    ///
    /// - Parameter bytes: about how much `work` writes.
    func perform<Result: Sendable>(
        bytes: Int = 0, _ work: @escaping @Sendable (WriteTransaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit(
                Unit(
                    bytes: bytes,
                    run: { transaction in
                        let result = try work(transaction)
                        return { continuation.resume(returning: result) }
                    },
                    fail: { continuation.resume(throwing: $0) }))
        }
    }

    /// Finishes what is waiting, refuses what comes later, and waits for the thread.
    func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        wake.signal()
        ended.wait()
    }

    private func submit(_ unit: Unit) {
        let (isClosed, mustWake) = state.withLock { state in
            guard !state.isClosed else { return (true, false) }
            state.units.append(unit)
            defer { state.sleeps = false }
            return (false, state.sleeps)
        }
        if isClosed { unit.fail(StorageError(.closed, "the store is closed")) }
        if mustWake { wake.signal() }
    }

    private func loop() {
        var batch = Batch(pool: pool)
        while let units = next() {
            let outcomes = batch.run(units)
            state.withLock { state in
                state.statistics.commits += 1
                state.statistics.units += units.count
            }
            for outcome in outcomes { outcome() }
        }
        ended.signal()
    }

    /// What is waiting, at most one batch; `nil` when the writer is closed and has nothing left. Waits.
    private func next() -> [Unit]? {
        while true {
            let (units, isClosed) = state.withLock { state in
                let units = state.takeBatch()
                state.sleeps = units.isEmpty
                return (units, state.isClosed)
            }
            if !units.isEmpty { return units }
            if isClosed { return nil }
            wake.wait()
        }
    }
}

extension Writer.State {
    fileprivate mutating func takeBatch() -> [Unit] {
        var bytes = 0
        var count = 0
        while count < units.count, count < Writer.largestBatch.units, bytes < Writer.largestBatch.bytes {
            bytes += units[count].bytes
            count += 1
        }
        defer { units.removeFirst(count) }
        return Array(units[..<count])
    }
}
