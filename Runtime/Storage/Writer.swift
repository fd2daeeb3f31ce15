import Dispatch
import GRDB
import Synchronization
import Threads

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

/// The thread that makes all changes: it takes what is waiting, runs each unit in one transaction, commits with one
/// `fsync`, and only then resumes the callers.
///
/// A unit that throws is undone alone; when the transaction fails, each is tried once more by itself. When the disk does
/// not take even that, all fail, and so does at once what comes then, until a probe has succeeded. A caller whose task is cancelled
/// gets its result all the same: what is recorded never depends on who still listens.
final class Writer: Sendable {
    private let database: DatabaseQueue
    private let options: Options
    private let load: QueueLoad
    private let followed: FollowedKeys
    private let recent: RecentValues
    private let waiting = Waiting()
    private let counted = Mutex(WriterStatistics())
    private let condition = Mutex(Condition())
    private let ended = DispatchSemaphore(value: 0)
    private let busy = Atomic(false)

    /// Starts the thread.
    init(database: DatabaseQueue, options: Options, load: QueueLoad, followed: FollowedKeys, recent: RecentValues)
        throws
    {
        self.database = database
        self.options = options
        self.load = load
        self.followed = followed
        self.recent = recent
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

    /// From the first unit of a batch to the last answer.
    var isBusy: Bool { busy.load(ordering: .relaxed) }

    var statistics: WriterStatistics {
        var statistics = counted.withLock { $0 }
        statistics.waiting = waiting.count
        return statistics
    }

    /// Runs `work` within the next transaction; returns or throws after that is on disk.
    ///
    /// - Parameters:
    ///   - bytes: about how much `work` writes.
    ///   - work: must not hold the store. The writer's thread may be the last to let go of it, and a store that goes
    ///     waits for that thread.
    func perform<Value: Sendable>(
        bytes: Int = 0, _ work: @escaping @Sendable (WriteTransaction) throws -> Value
    ) async throws -> Value {
        // Not a checked one, since the writer answers each unit exactly once: those of a batch after it has ended, and
        // those that it refuses instead.
        try await withUnsafeThrowingContinuation { continuation in
            submit(Call(bytes: bytes, work: work, continuation: continuation))
        }
    }

    /// Finishes what is waiting, refuses what comes later, and waits for the thread.
    func close() {
        waiting.close()
        ended.wait()
        // For whoever closes it at the same time, or once more.
        ended.signal()
    }

    /// Runs `unit` within the next transaction. It answers on the writer's thread, which waits meanwhile, or at once where
    /// nothing can be written.
    func submit(_ unit: any Unit) {
        if let refusal = waiting.append(unit) { refuse([unit], because: refusal) }
    }

    private func refuse(_ units: [any Unit], because error: StorageError) {
        for unit in units {
            unit.fail(because: error)
            unit.answer()
        }
    }

    private func loop() {
        // As the lanes have it: with the kernel's, they would keep it from its processor when it is woken. Where the
        // kernel refuses it, the lanes say so.
        Slice.short.take()
        writeAll()
        ended.signal()
    }

    private func writeAll() {
        let batch = Batch(database: database, options: options, load: load, followed: followed, recent: recent)
        var gathering = Gathering()
        var courtesy = Courtesy()
        while waiting.awaits(gathering) {
            // Those who share this processor, and have just been answered, come back first: that makes larger batches.
            courtesy.yield()
            var units = waiting.take()
            if units.isEmpty { continue }
            busy.store(true, ordering: .relaxed)
            let start = ContinuousClock.now
            let failure = commit(&units, in: batch)
            gathering.ended(batch: units.count, waiting: waiting.count, in: start.duration(to: .now))
            counted.withLock { counted in
                counted.commits += 1
                counted.units += units.count
            }
            if let failure { refuse(because: failure) }
            for unit in units { unit.answer() }
            busy.store(false, ordering: .relaxed)
            if let failure { recover(from: failure, in: batch) }
        }
    }

    // MARK: Failures

    /// Commits `units`, together if possible. Returns why the store can take no more.
    private func commit(_ units: inout [any Unit], in batch: Batch) -> StorageError? {
        do throws(StorageError) {
            try batch.run(&units) { waiting.take() }
            return nil
        } catch {
            if let failure = cover(error, in: batch) {
                for unit in units { unit.fail(because: error) }
                return failure
            }
        }
        // One of them may be to blame, such as one that is too large for what is left of the disk.
        for (index, unit) in units.enumerated() {
            do throws(StorageError) {
                var alone = [unit]
                try batch.run(&alone)
            } catch {
                var error = error
                let failure = cover(error, in: batch)
                if failure == nil { error.mayBeApplied = false }
                unit.fail(because: error)
                guard let failure else { continue }
                for unit in units[(index + 1)...] { unit.fail(because: failure) }
                return failure
            }
        }
        return nil
    }

    /// Makes sure that nothing is left of what has failed. Returns why it cannot.
    private func cover(_ error: StorageError, in batch: Batch) -> StorageError? {
        if error.code == .damaged { return error }
        do throws(StorageError) {
            try batch.cover(after: error)
            return nil
        } catch {
            // What is refused with it was never tried.
            var failure = error
            failure.mayBeApplied = false
            return failure
        }
    }

    /// Fails what is waiting, and what comes until the store has recovered.
    func refuse(because error: StorageError) {
        refuse(waiting.refuse(because: error), because: error)
        change(to: .failing(error))
    }

    /// Returns when the disk takes a commit again, or never shall, or the store is closed.
    private func recover(from error: StorageError, in batch: Batch) {
        var last = error
        var schedule = ProbeSchedule(after: error)
        while waiting.rest(for: schedule.wait) {
            // A reader may have found damage meanwhile, and a probe writes.
            if health.error?.code == .damaged { return }
            do throws(StorageError) {
                try batch.cover(after: last)
                waiting.accept()
                return change(to: .well)
            } catch {
                var failure = error
                failure.mayBeApplied = false
                last = failure
                schedule.failed(with: failure)
                refuse(waiting.refuse(because: failure), because: failure)
                change(to: .failing(failure))
            }
        }
    }
}

// MARK: - Health

extension Writer {
    private struct Condition {
        var health = StoreHealth.well
        var observer: (@Sendable (StoreHealth) -> Void)?
    }

    var health: StoreHealth { condition.withLock { $0.health } }

    func onHealthChange(_ body: @escaping @Sendable (StoreHealth) -> Void) {
        condition.withLock { $0.observer = body }
    }

    private func change(to health: StoreHealth) {
        let observer = condition.withLock { condition -> (@Sendable (StoreHealth) -> Void)? in
            // Nothing but a restored file heals damage.
            if condition.health.error?.code == .damaged { return nil }
            let isNews = condition.health.error?.code != health.error?.code
            condition.health = health
            return isNews ? condition.observer : nil
        }
        observer?(health)
    }
}
