import GRDB

/// The open transaction of the writer, as its units see it.
struct WriteTransaction {
    /// For all but the queue, whose new rows may not be there yet.
    let connection: Connection
    /// `nil` while each row is inserted at once.
    let newRows: NewRows?
    let ledger: QueueLedger
    let options: Options
    let followed: FollowedKeys
    let written: WrittenValues
    fileprivate let versions: Versions

    /// With all that was enqueued in it, which is inserted first.
    var database: Connection {
        get throws {
            try newRows?.insert(into: connection)
            return connection
        }
    }

    /// Grows with each row that is inserted, changed or deleted, also with one that is still to be inserted.
    fileprivate var changes: Int64 { connection.changes + Int64(newRows?.count ?? 0) }

    /// Greater than all before, in this and every earlier run of the host.
    func nextVersion() -> Int64 {
        versions.last += 1
        return versions.last
    }

    /// Nothing has got the latest version after all.
    func takeBackVersion() { versions.last -= 1 }
}

/// The commit counter. It grows also with units that are undone, so that no version is ever given twice.
private final class Versions {
    /// How many more than needed are taken from the row, so that few transactions write it: its page would be half of what
    /// a small one writes.
    static let reserve: Int64 = 10_000

    var last: Int64 = 0
    /// What the row holds: whoever reads it next gives greater ones alone. 0 until it is read.
    var reserved: Int64 = 0
}

/// Runs units in transactions. Confined to the writer's thread.
///
/// Most units succeed, or refuse before they have changed anything, so that a savepoint for each would be in vain: it takes
/// as long as a small unit. A transaction goes without, and when a unit fails that has changed something, all of it is
/// undone and run again with savepoints, as the next ones are for a while.
final class Batch {
    /// A unit failed that has changed something, or new rows cannot be inserted and nobody knows whose: there is no savepoint
    /// to go back to.
    private struct NeedsSavepoints: Error {}

    /// Transactions with savepoints after one that needed them.
    private static let caution = 100

    private let database: DatabaseQueue
    private let options: Options
    private let followed: FollowedKeys
    private let versions = Versions()
    private let recent: RecentValues
    private let written = WrittenValues()
    private let ledger: QueueLedger
    private let newRows = NewRows()
    private var connection: Connection?
    private var cautious = 0

    init(database: DatabaseQueue, options: Options, load: QueueLoad, followed: FollowedKeys, recent: RecentValues) {
        self.database = database
        self.options = options
        self.followed = followed
        self.recent = recent
        ledger = QueueLedger(load: load)
    }

    /// Runs `units` in one transaction, after which each can answer. Throws what undid the transaction.
    ///
    /// - Parameters:
    ///   - units: those that join them are added.
    ///   - joining: says which have come while they ran, and are to be in the same transaction.
    func run(_ units: inout [any Unit], joining: () -> [any Unit] = { [] }) throws(StorageError) {
        do {
            try database.writeWithoutTransaction { database in
                let connection = connection(of: database)
                do {
                    try commit(&units, joining: joining, database, connection)
                } catch is NeedsSavepoints {
                    forget()
                    cautious = Self.caution
                    try commit(&units, joining: { [] }, database, connection)
                }
            }
        } catch {
            forget()
            throw error as? StorageError
                ?? StorageError(.failed, "\(database.path) could not be used", underlying: error)
        }
    }

    private func commit(
        _ units: inout [any Unit], joining: () -> [any Unit], _ database: Database, _ connection: Connection
    ) throws {
        var isCommitting = false
        do {
            try begin(database, connection)
            try write(&units, joining: joining, to: connection)
            isCommitting = true
            try recent.committing(written.all) { try connection.run("COMMIT") }
            written.removeAll()
            ledger.committed()
            cautious = max(0, cautious - 1)
        } catch {
            throw undone(database, connection, because: error, isCommitting)
        }
    }

    /// What is known of the rows may be of a transaction that was undone.
    private func forget() {
        versions.reserved = 0
        written.removeAll()
        newRows.removeAll()
        ledger.failed()
    }

    /// Writes and syncs a little, after a transaction has failed or to see whether the disk works again.
    ///
    /// A commit whose sync failed has left its frames in the WAL. SQLite has undone it, but a crash of the host would
    /// bring it back. This commit takes its place there: SQLite writes from where the last good one ended. (What a full
    /// disk needs besides, it tries first: a WAL that is copied and cut off makes room.)
    func cover(after failure: StorageError) throws(StorageError) {
        if failure.code == .full { try? database.settle() }
        var units: [any Unit] = [Probe()]
        try run(&units)
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
    private func write(_ units: inout [any Unit], joining: () -> [any Unit], to connection: Connection) throws {
        if versions.reserved == 0 { try loadVersions(connection) }
        let transaction = WriteTransaction(
            connection: connection, newRows: cautious > 0 ? nil : newRows, ledger: ledger, options: options,
            followed: followed, written: written, versions: versions)
        try runEach(units, in: transaction)
        let more = joining()
        units += more
        try runEach(more, in: transaction)
        do { try newRows.insert(into: connection) } catch is DatabaseError { throw NeedsSavepoints() }
        if versions.last > versions.reserved {
            let reserved = versions.last + Versions.reserve
            try connection.run("UPDATE counter SET value = ? WHERE name = 'version'", .integer(reserved))
            versions.reserved = reserved
        }
        try ledger.write(to: connection)
    }

    private func runEach(_ units: [any Unit], in transaction: WriteTransaction) throws {
        for unit in units {
            if cautious > 0 { try runUndoably(unit, in: transaction) } else { try run(unit, in: transaction) }
        }
    }

    private func run(_ unit: any Unit, in transaction: WriteTransaction) throws {
        let changes = transaction.changes
        do {
            try unit.run(in: transaction)
        } catch {
            // An error of SQLite may end the whole transaction.
            if error is DatabaseError || transaction.changes != changes { throw NeedsSavepoints() }
            dropUnit()
            return unit.fail(because: error)
        }
        try keepUnit(transaction.connection)
    }

    private func runUndoably(_ unit: any Unit, in transaction: WriteTransaction) throws {
        let connection = transaction.connection
        try connection.run("SAVEPOINT unit")
        do {
            try unit.run(in: transaction)
            try connection.run("RELEASE unit")
        } catch {
            // SQLite undoes the whole transaction on some errors, such as a full disk
            // (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
            guard connection.isInsideTransaction, !StorageError.isDamage(error) else { throw error }
            dropUnit()
            try connection.run("ROLLBACK TO unit")
            try connection.run("RELEASE unit")
            return unit.fail(because: StorageError.wrapping(error, path: database.path))
        }
        try keepUnit(connection)
    }

    private func keepUnit(_ connection: Connection) throws {
        try ledger.keepUnit(connection)
        written.keepUnit()
    }

    private func dropUnit() {
        ledger.dropUnit()
        written.dropUnit()
    }

    private func loadVersions(_ connection: Connection) throws {
        let reserved = try connection.first("SELECT value FROM counter WHERE name = 'version'") { $0.integer(0) } ?? 0
        versions.reserved = reserved
        versions.last = max(versions.last, reserved)
    }
}

/// Writes a little, and answers nobody.
private final class Probe: Unit {
    let bytes = 0

    func run(in transaction: WriteTransaction) throws {
        try transaction.connection.run(
            "INSERT INTO counter VALUES ('probe', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")
    }

    func fail(because error: any Error) {}

    func answer() {}
}
