import GRDB
import Synchronization

/// Everything that lasts: one SQLite file in WAL mode with `synchronous=FULL`, one writer thread with group commit.
///
/// Its verbs are those of the domain, so that another engine can take its place. Each change is on disk when its verb
/// returns; one that throws has changed nothing. Reads see one instant, never wait for the writer, and run on the
/// caller's thread, since a hop costs more than they do.
///
/// Verbs throw `StorageError`, and `commit` also `StateError` for an increment that cannot be.
package final class Store: Sendable {
    let pool: DatabasePool
    let writer: Writer
    private let folder: Mutex<DataFolder?>

    /// Opens `directory/apus.db`, creating both where they are missing, brings the schema up to date, and takes the
    /// lock that keeps a second host out. Running invocations of a host that died are waiting again afterwards; the
    /// attempt that was cut short counts, so that an event that kills its host comes to an end.
    ///
    /// - Parameters:
    ///   - pragmas: more settings of each connection, such as `cache_size = -65536`
    ///     (https://www.sqlite.org/pragma.html). They come last, so that they win.
    ///   - trace: is told the SQL of each statement that runs, on the thread that runs it.
    package init(
        directory: String, pragmas: [String] = [], trace: (@Sendable (String) -> Void)? = nil
    ) throws {
        let folder = try DataFolder(directory)
        let path = folder.database
        do {
            if folder.hasDatabase { try Store.inspect(path) }
            pool = try DatabasePool(path: path, configuration: Store.configuration(pragmas, trace))
            try Store.prepare(pool, pragmas)
        } catch {
            throw StorageError.wrapping(error, path: path)
        }
        writer = try Writer(pool: pool)
        self.folder = Mutex(folder)
    }

    deinit { try? close() }

    /// Waits for what is being written, then closes the file and gives up the lock.
    package func close() throws {
        writer.close()
        defer { folder.withLock { $0 = nil } }
        do { try pool.close() } catch { throw StorageError.wrapping(error, path: pool.path) }
    }

    /// How well the writer gathers.
    package var statistics: WriterStatistics { writer.statistics }

    /// What `body` reads at one instant.
    func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do { return try pool.read(body) } catch { throw StorageError.wrapping(error, path: pool.path) }
    }

    /// Like `read`, for a single statement, which is an instant of its own and needs no transaction around it.
    func readOnce<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do { return try pool.unsafeRead(body) } catch { throw StorageError.wrapping(error, path: pool.path) }
    }
}

extension Store {
    private static func configuration(
        _ pragmas: [String], _ trace: (@Sendable (String) -> Void)?
    ) -> Configuration {
        var configuration = Configuration()
        configuration.label = "apus"
        configuration.foreignKeysEnabled = true
        // Nobody else writes, but backup tools may hold the file for a moment.
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 16
        configuration.persistentReadOnlyConnections = true
        configuration.prepareDatabase { database in
            if let trace { database.trace { if case .statement(let statement) = $0 { trace(statement.sql) } } }
            for pragma in pragmas { try database.execute(sql: "PRAGMA " + pragma) }
        }
        return configuration
    }

    /// Refuses a file that is not ours or of a later version, before anything is changed.
    private static func inspect(_ path: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let file = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? file.close() }
        try file.read { database in
            let id = try database.first("PRAGMA application_id") { $0.integer(0) }
            let version = try database.first("PRAGMA user_version") { $0.integer(0) } ?? 0
            let isEmpty = try !database.exists("SELECT 1 FROM sqlite_master LIMIT 1")
            if isEmpty, version == 0 { return }
            guard id == Migrations.applicationID else {
                throw StorageError(
                    .foreign, "\(path) is not an Apus database; move it away or choose another data folder")
            }
            guard version <= Migrations.latest else { throw newerVersion(version, path) }
        }
    }

    private static func newerVersion(_ version: Int64, _ path: String) -> StorageError {
        StorageError(
            .newerVersion,
            """
            \(path) has schema version \(version), and this Apus knows versions up to \(Migrations.latest); \
            start the Apus that made it or a later one, or choose another data folder
            """)
    }

    private static func prepare(_ pool: DatabasePool, _ pragmas: [String]) throws {
        try pool.writeWithoutTransaction { database in
            // The pool has chosen NORMAL, which may lose commits at a power cut.
            try database.run("PRAGMA synchronous = FULL")
            try database.run("PRAGMA wal_autocheckpoint = 4000")
            try database.run("PRAGMA journal_size_limit = 67108864")
            for pragma in pragmas { try database.execute(sql: "PRAGMA " + pragma) }
        }
        try Migrations.migrator.migrate(pool)
        try pool.writeWithoutTransaction { database in
            try database.inTransaction {
                try database.run(
                    """
                    UPDATE invocation SET state = 'waiting' WHERE state = 'running'
                        AND function IN (SELECT function FROM queue_count WHERE running > 0)
                    """)
                return .commit
            }
        }
    }
}
