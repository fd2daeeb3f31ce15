import CSQLite
package import Events
import GRDB
import Synchronization

/// Everything that lasts: one SQLite file in WAL mode with `synchronous=FULL`, one writer thread with group commit. Values
/// that were read or written lately are in memory, too.
///
/// Its verbs are those of the domain, so that another engine can take its place. Each change is on disk when its verb
/// returns; one that throws has changed nothing. Reads see one instant, never wait for the writer, and run on the
/// caller's thread, since a hop costs more than they do.
///
/// Verbs throw `StorageError`, and `commit` also `StateError` for an increment that cannot be.
package final class Store: Sendable {
    let writer: Writer
    let load = QueueLoad()
    let now: @Sendable () -> WallTime
    private let database: DatabaseQueue
    private let readers: Readers
    let recent = RecentValues()
    private let folder: Mutex<DataFolder?>
    let followed = FollowedKeys()

    /// Once, before the first file is opened. Where it fails, SQLite does without.
    private static let isConfigured: Void = {
        sqlite_config_memory()
        _ = sqlite_write_wal_in_one_piece()
    }()

    /// Opens `directory/apus.db`, creating both where they are missing, brings the schema up to date, and takes the
    /// lock that keeps a second host out. Running invocations of a host that died are waiting again afterwards; the
    /// attempt that was cut short counts, so that an event that kills its host comes to an end.
    ///
    /// - Parameters:
    ///   - pragmas: more settings of each connection, such as `cache_size = -65536`
    ///     (https://www.sqlite.org/pragma.html). They come last, so that they win, but over `cache_spill`.
    ///   - results: how long the result of an asynchronous invocation is kept.
    ///   - now: the wall clock, by which rows are stamped; the caller says itself what time it is where a verb asks.
    ///   - trace: is told the SQL of each statement that runs, on the thread that runs it.
    ///   - profile: is told likewise how many steps of SQLite's virtual machine each took.
    ///   - weaknesses: guarantees to take away, for tests.
    package init(
        directory: String, pragmas: [String] = [], results: Duration = Retention().results,
        now: @escaping @Sendable () -> WallTime = { .now() }, trace: (@Sendable (String) -> Void)? = nil,
        profile: (@Sendable (_ sql: String, _ steps: Int) -> Void)? = nil, weaknesses: Set<Weakness> = []
    ) throws {
        _ = Self.isConfigured
        let folder = try DataFolder(directory)
        let options = Options(
            pragmas: pragmas, trace: trace, profile: profile, results: results, now: now, weaknesses: weaknesses)
        self.now = now
        do {
            if folder.hasDatabase {
                try Schema.inspect(folder.database)
            } else {
                try Files.makeDatabase(folder.database)
            }
            database = try Schema.open(folder.database, options)
        } catch {
            throw StorageError.wrapping(error, path: folder.database)
        }
        readers = Readers(path: folder.database, options: options)
        writer = try Writer(database: database, options: options, load: load, followed: followed, recent: recent)
        self.folder = Mutex(folder)
        load.update(try queueTotals().map { ($0.key, $0.value.counts) })
    }

    deinit { try? close() }

    /// Waits for what is being written, then closes the file and gives up the lock.
    package func close() throws {
        writer.close()
        recent.close()
        readers.close()
        defer { folder.withLock { $0 = nil } }
        do { try database.close() } catch { throw StorageError.wrapping(error, path: database.path) }
    }

    /// Changes are on their way to the disk, or the answers to them to those who wait.
    package var isBusy: Bool { writer.isBusy }

    /// How well the writer gathers.
    package var statistics: WriterStatistics { writer.statistics }

    /// Whether changes are possible now, as far as is known: an idle store finds out by the next change.
    package var health: StoreHealth { writer.health }

    /// Calls `body` whenever `health` has changed, on the thread that has found out; in place of an earlier one.
    package func onHealthChange(_ body: @escaping @Sendable (StoreHealth) -> Void) { writer.onHealthChange(body) }

    /// Delivers changes to these functions: those of every commit that is applied from now on.
    package func follow(_ followers: StateFollowers) { followed.replace(with: followers) }

    /// What one statement reads.
    func reading<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        do { return try readers.once(body) } catch { throw noted(error) }
    }

    /// What several statements read at one instant.
    func readingSnapshot<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        do { return try readers.snapshot(body) } catch { throw noted(error) }
    }

    /// Damage that a reader has found ends all writing.
    private func noted(_ error: any Error) -> any Error {
        let wrapped = StorageError.wrapping(error, path: database.path)
        if StorageError.isDamage(error), let wrapped = wrapped as? StorageError {
            writer.refuse(because: wrapped)
        }
        return wrapped
    }
}
