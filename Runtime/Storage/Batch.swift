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
    let database: Database
    let versions: Versions

    /// Greater than all before, in this and every earlier run of the host.
    func nextVersion() -> Int64 {
        versions.last += 1
        return versions.last
    }
}

/// The commit counter. It grows also with units that are undone, so that no version is ever given twice.
final class Versions {
    var last: Int64 = 0
    var stored: Int64 = 0
}

/// Runs units in transactions. Confined to the writer's thread.
struct Batch {
    let pool: DatabasePool
    private let versions = Versions()

    init(pool: DatabasePool) { self.pool = pool }

    /// Runs `units` in one transaction; what it returns resumes their callers.
    mutating func run(_ units: [Unit]) -> [Delivery] {
        do {
            return try pool.writeWithoutTransaction { database in
                try database.beginTransaction(.immediate)
                do {
                    let deliveries = try deliveries(of: units, in: database)
                    try database.commit()
                    return deliveries
                } catch {
                    try? database.rollback()
                    throw error
                }
            }
        } catch {
            versions.stored = 0
            let failure = StorageError.wrapping(error, path: pool.path)
            return units.map { unit in { unit.fail(failure) } }
        }
    }

    /// Throws only what spoils the whole transaction.
    private func deliveries(of units: [Unit], in database: Database) throws -> [Delivery] {
        if versions.stored == 0 { try loadVersions(database) }
        let deliveries = try units.map { try delivery(of: $0, in: database) }
        if versions.last != versions.stored {
            try database.run("UPDATE counter SET value = ? WHERE name = 'version'", .integer(versions.last))
            versions.stored = versions.last
        }
        return deliveries
    }

    private func delivery(of unit: Unit, in database: Database) throws -> Delivery {
        try database.run("SAVEPOINT unit")
        do {
            let delivery = try unit.run(WriteTransaction(database: database, versions: versions))
            try database.run("RELEASE unit")
            return delivery
        } catch {
            // SQLite undoes the whole transaction on some errors, such as a full disk
            // (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
            guard database.isInsideTransaction else { throw error }
            try database.run("ROLLBACK TO unit")
            try database.run("RELEASE unit")
            let failure = StorageError.wrapping(error, path: pool.path)
            return { unit.fail(failure) }
        }
    }

    private func loadVersions(_ database: Database) throws {
        let stored = try database.first("SELECT value FROM counter WHERE name = 'version'") { $0.integer(0) } ?? 0
        versions.stored = stored
        versions.last = max(versions.last, stored)
    }
}
