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
    private let database: DatabaseQueue
    private let options: Options
    private let load: QueueLoad
    private let waiting = Waiting()
    private let counted = Mutex(WriterStatistics())
    private let ended = DispatchSemaphore(value: 0)

    /// Starts the thread.
    init(database: DatabaseQueue, options: Options, load: QueueLoad) throws {
        self.database = database
        self.options = options
        self.load = load
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
        var statistics = counted.withLock { $0 }
        statistics.waiting = waiting.count
        return statistics
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
        waiting.close()
        ended.wait()
        // For whoever closes it at the same time, or once more.
        ended.signal()
    }

    private func submit(_ unit: Unit) {
        if !waiting.append(unit) { unit.fail(StorageError(.closed, "the store is closed")) }
    }

    private func loop() {
        writeAll()
        ended.signal()
    }

    private func writeAll() {
        let batch = Batch(database: database, options: options, load: load)
        var gathering = Gathering()
        while let units = waiting.next(gathering) {
            let start = ContinuousClock.now
            let deliveries = batch.run(units)
            gathering.ended(batch: units.count, waiting: waiting.count, in: start.duration(to: .now))
            counted.withLock { counted in
                counted.commits += 1
                counted.units += units.count
            }
            for delivery in deliveries { delivery() }
        }
    }
}
