package import Logging
package import Manifests
import ServiceLifecycle
package import Storage
import Synchronization

/// The file triggers: notices what changes below watched folders and puts it into the queue.
///
/// A thread of its own reads inotify and decides (`FileWatcher`); tasks record what was decided, for each trigger one
/// transaction after the other. The index changes only in the transaction that enqueues, so that a host
/// that is killed at any point finds the rest by its next scan.
///
/// Only regular files are told, by names that are UTF-8; symbolic links below the folder are not followed. inotify does
/// not see what other machines do to a network file system, nor writes through `mmap`: the next start does.
package final class FileService: Service {
    private let ledger: FileLedger
    private let prepare: @Sendable (_ function: String) async -> Void
    private let notify: @Sendable () -> Void
    private let logger: Logger
    private let exchange = FileExchange()
    /// Keys of the first triggers whose folders have not been looked through; `nil` before there are any.
    private let waiting = Mutex<Set<String>?>(nil)
    /// Jobs behind the one that is performed, by the key of their trigger.
    private let lines = Mutex<[String: [FileExchange.Job]]>([:])

    /// - Parameters:
    ///   - prepare: called before something is enqueued for a function, whose workers may have to be others to read it.
    ///   - notify: called after something was enqueued.
    package init(
        ledger: FileLedger, prepare: @escaping @Sendable (_ function: String) async -> Void = { _ in },
        notify: @escaping @Sendable () -> Void, logger: Logger
    ) {
        self.ledger = ledger
        self.prepare = prepare
        self.notify = notify
        self.logger = logger
    }

    /// Makes the file triggers of `manifests` the running ones; those that stay as they are miss nothing.
    /// Returns at once; `states` tells what has become of them.
    package func update(_ manifests: [Manifest]) async throws {
        let watches = FileWatch.all(of: manifests)
        let keys = Set(watches.map(\.key))
        waiting.withLock { $0 = $0?.intersection(keys) ?? keys }
        exchange.send(.watch(watches))
    }

    /// Keys of the triggers that were there from the start, and take what they find for what was there before the host.
    package var unscanned: [String] {
        waiting.withLock { waiting in
            guard let left = waiting, !left.isEmpty else { return [] }
            let states = exchange.states
            waiting = left.filter { [nil, .loading].contains(states[$0]) }
            return waiting?.sorted() ?? []
        }
    }

    /// Where each trigger stands, by its key.
    package var states: [String: FileTriggerState] { exchange.states }

    /// Watches until the task is cancelled or shut down. What is decided but not recorded by then is found again by the
    /// scan at the next start.
    package func run() async throws {
        let thread = try WatchThread(exchange: exchange, logger: logger)
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await _ in exchange.signals {
                    while !exchange.isStopped, let job = exchange.nextJob() {
                        guard startsLine(job) else { continue }
                        group.addTask { await self.performLine(job) }
                    }
                }
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: { [exchange] in
            exchange.stop()
        }
        exchange.stop()
        thread.join()
    }

    /// `false`: it waits for another of its trigger. Those of other triggers go on meanwhile, whose queues may have room.
    private func startsLine(_ job: FileExchange.Job) -> Bool {
        lines.withLock { lines in
            let isFirst = lines[job.watch.key] == nil
            if isFirst { lines[job.watch.key] = [] } else { lines[job.watch.key]?.append(job) }
            return isFirst
        }
    }

    private func performLine(_ first: FileExchange.Job) async {
        let key = first.watch.key
        var next: FileExchange.Job? = first
        while let job = next {
            await perform(job)
            next = lines.withLock { lines in
                if lines[key]?.isEmpty == true { lines[key] = nil }
                return lines[key]?.removeFirst()
            }
        }
    }

    private func perform(_ job: FileExchange.Job) async {
        switch job {
        case .load(let id, let watch):
            await persistently(watch) {
                let index = try await ledger.index(watch.key)
                exchange.send(.loaded(id, index))
            }
        case .record(let id, let watch, let index, let invocations):
            if !invocations.isEmpty { await prepare(watch.function) }
            await persistently(watch) {
                try await ledger.record(watch.key, index, invocations)
                if !invocations.isEmpty { notify() }
                exchange.send(.recorded(id))
            }
        }
    }

    /// How soon changes that found no room are tried again.
    private static let roomWait = Duration.seconds(1)

    /// Storage that fails is tried again: nothing else of the trigger may be recorded before.
    private func persistently(_ watch: FileWatch, _ body: () async throws -> Void) async {
        var delay = Duration.milliseconds(100)
        var isWaiting = false
        while !exchange.isStopped {
            do {
                return try await body()
            } catch {
                if exchange.isStopped { return }
                let metadata: Logger.Metadata = [
                    "function": "\(watch.function)", "trigger": "\(watch.key)", "error": "\(error)",
                ]
                if error is QueueFull {
                    if !isWaiting { logger.warning("file changes have to wait for room", metadata: metadata) }
                    (isWaiting, delay) = (true, Self.roomWait)
                } else {
                    logger.error("cannot record file changes; trying again", metadata: metadata)
                }
            }
            // Cancelled: the loop ends, since that stops the exchange too.
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, .seconds(10))
        }
    }
}

/// What the file triggers need of storage.
package struct FileLedger: Sendable {
    /// The index of a trigger; `nil` before its first scan.
    package var index: @Sendable (_ trigger: String) async throws -> [FilePath: FileStamp]?
    /// Changes the index and enqueues, as one.
    package var record:
        @Sendable (_ trigger: String, _ index: [FilePath: FileStamp?], _ invocations: [NewInvocation]) async throws ->
            Void

    package init(
        index: @escaping @Sendable (String) async throws -> [FilePath: FileStamp]?,
        record: @escaping @Sendable (String, [FilePath: FileStamp?], [NewInvocation]) async throws -> Void
    ) {
        self.index = index
        self.record = record
    }

    package init(store: Store) {
        self.init(
            index: { try await store.fileIndex(trigger: $0) },
            record: { try await store.recordFiles(trigger: $0, changes: $1, invocations: $2) })
    }
}
