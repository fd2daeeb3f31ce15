import GRDB

/// Tells a caller how its unit ended.
typealias Delivery = @Sendable () -> Void

/// What one caller wants to change, as one: all of it or nothing.
struct Unit: Sendable {
    var bytes: Int
    var run: @Sendable (WriteTransaction) throws -> Delivery
    var fail: @Sendable (any Error) -> Void
}

/// The open transaction of the writer, as its units see it.
struct WriteTransaction {
    let database: Connection
    let ledger: QueueLedger
    /// How long a result is kept.
    let results: Duration
    fileprivate let versions: Versions

    /// Greater than all before, in this and every earlier run of the host.
    func nextVersion() -> Int64 {
        versions.last += 1
        return versions.last
    }
}

/// The commit counter. It grows also with units that are undone, so that no version is ever given twice.
private final class Versions {
    var last: Int64 = 0
    var stored: Int64 = 0
}

/// Runs units in transactions. Confined to the writer's thread.
final class Batch {
    private let database: DatabaseQueue
    private let options: Options
    private let versions = Versions()
    private let ledger: QueueLedger
    private var connection: Connection?

    init(database: DatabaseQueue, options: Options, load: QueueLoad) {
        self.database = database
        self.options = options
        ledger = QueueLedger(load: load)
    }

    /// Runs `units` in one transaction; what it returns resumes their callers. Throws what undid the transaction.
    func run(_ units: [Unit]) throws(StorageError) -> [Delivery] {
        do {
            return try database.writeWithoutTransaction { database in
                let connection = connection(of: database)
                var isCommitting = false
                do {
                    try begin(database, connection)
                    let deliveries = try deliveries(of: units, in: connection)
                    isCommitting = true
                    try connection.run("COMMIT")
                    ledger.committed()
                    return deliveries
                } catch {
                    throw undone(database, connection, because: error, isCommitting)
                }
            }
        } catch {
            versions.stored = 0
            ledger.failed()
            throw error as? StorageError
                ?? StorageError(.failed, "\(database.path) could not be used", underlying: error)
        }
    }

    /// Writes and syncs a little, after a transaction has failed or to see whether the disk works again.
    ///
    /// A commit whose sync failed has left its frames in the WAL. SQLite has undone it, but a crash of the host would
    /// bring it back. This commit takes its place there: SQLite writes from where the last good one ended. (What a full
    /// disk needs besides, it tries first: a WAL that is copied and cut off makes room.)
    func cover(after failure: StorageError) throws(StorageError) {
        if failure.code == .full { try? checkpoint() }
        let unit = Unit(
            bytes: 0,
            run: { transaction in
                try transaction.database.run(
                    """
                    INSERT INTO counter VALUES ('probe', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1
                    """)
                return {}
            }, fail: { _ in })
        _ = try run([unit])
    }

    private func checkpoint() throws {
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
    }

    private func begin(_ database: Database, _ connection: Connection) throws {
        // What could not be undone when it failed.
        if connection.isInsideTransaction { try database.rollback() }
        try connection.run("BEGIN IMMEDIATE")
    }

    private func undone(
        _ database: Database, _ connection: Connection, because error: any Error, _ isCommitting: Bool
    ) -> any Error {
        let systemError = connection.systemError
        try? database.rollback()
        let path = self.database.path
        let failure = StorageError.wrapping(error, path: path, systemError: systemError)
        guard isCommitting, var failure = failure as? StorageError else { return failure }
        // Another error than that of a sync comes before the last frame, without which the others count for nothing.
        let code = (error as? DatabaseError)?.extendedResultCode
        failure.mayBeApplied = code == .SQLITE_IOERR_FSYNC || code == .SQLITE_IOERR_DIR_FSYNC
        return failure
    }

    private func connection(of database: Database) -> Connection {
        if let connection { return connection }
        let new = Connection(of: database, options: options)
        connection = new
        return new
    }

    /// Throws only what spoils the whole transaction.
    private func deliveries(of units: [Unit], in connection: Connection) throws -> [Delivery] {
        if versions.stored == 0 { try loadVersions(connection) }
        let deliveries = try units.map { try delivery(of: $0, in: connection) }
        if versions.last != versions.stored {
            try connection.run("UPDATE counter SET value = ? WHERE name = 'version'", .integer(versions.last))
            versions.stored = versions.last
        }
        try ledger.write(to: connection)
        return deliveries
    }

    private func delivery(of unit: Unit, in connection: Connection) throws -> Delivery {
        try connection.run("SAVEPOINT unit")
        do {
            let delivery = try unit.run(
                WriteTransaction(
                    database: connection, ledger: ledger, results: options.results, versions: versions))
            try connection.run("RELEASE unit")
            try ledger.keepUnit(connection)
            return delivery
        } catch {
            // SQLite undoes the whole transaction on some errors, such as a full disk
            // (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
            guard connection.isInsideTransaction, !StorageError.isDamage(error) else { throw error }
            ledger.dropUnit()
            try connection.run("ROLLBACK TO unit")
            try connection.run("RELEASE unit")
            let failure = StorageError.wrapping(error, path: database.path)
            return { unit.fail(failure) }
        }
    }

    private func loadVersions(_ connection: Connection) throws {
        let stored = try connection.first("SELECT value FROM counter WHERE name = 'version'") { $0.integer(0) } ?? 0
        versions.stored = stored
        versions.last = max(versions.last, stored)
    }
}
