package import Events
import GRDB

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A data folder that has got the database of a backup.
package struct Restoration: Sendable {
    /// Where the database is that was there before; `nil` when there was none.
    package var kept: String?

    /// What SQLite keeps beside a database, and takes for its own.
    private static let companions = ["-journal", "-wal", "-shm"]

    /// Puts a copy of the database `file` into the data folder, which no host may have. The one that is there gets
    /// another name beside it. Whatever fails, the folder has the old database or the new one; where it was not there
    /// before, nothing is left of it.
    ///
    /// - Parameter now: becomes part of the name.
    /// - Throws: `StorageError`.
    package init(of file: String, into directory: String, now: WallTime = .now()) throws {
        try Files.find(file, orElse: "name a file that 'apus backup' has made")
        try Self.checkIsApart(file, from: directory)
        let folder = try DataFolder(directory)
        // The lock is held until all is done.
        defer { withExtendedLifetime(folder) {} }
        do {
            kept = try Self.replaceDatabase(of: folder, with: file, now: now)
        } catch {
            folder.takeBack()
            throw error
        }
    }

    /// Refuses what the restore itself would replace or remove.
    private static func checkIsApart(_ file: String, from directory: String) throws {
        let database = directory + "/apus.db"
        for name in [database, workingCopy(of: database)] {
            for end in [""] + companions where Files.areSame(file, name + end) {
                throw StorageError(
                    .exists,
                    "\(file) belongs to the data folder \(directory) itself; name a file that 'apus backup' has made")
            }
        }
    }

    private static func workingCopy(of database: String) -> String { database + ".restoring" }

    /// Returns where the database is that was there before.
    private static func replaceDatabase(
        of folder: borrowing DataFolder, with file: String, now: WallTime
    ) throws -> String? {
        let database = folder.database
        let isThere = folder.hasDatabase
        if isThere { try settle(database) }
        let copy = workingCopy(of: database)
        // What a restore that was cut short has left: SQLite would take them for those of the new copy.
        try remove(copy)
        defer { try? remove(copy) }
        try self.copy(file, to: copy)
        try useWAL(copy)
        let kept = isThere ? try keep(database, now: now) : nil
        // Never together with the new file: SQLite would take them for its own. The old one is whole without them.
        for end in companions { try Files.remove(database + end) }
        try Files.sync(folder.path)
        try Files.move(copy, to: database)
        return kept
    }

    private static func remove(_ copy: String) throws {
        for end in [""] + companions { try Files.remove(copy + end) }
    }

    /// Makes a copy of `backup` that is whole, checked and on disk.
    ///
    /// - Throws: `StorageError`. Where the backup is of no use, it says what to do about a backup, and not about the
    ///   database of a data folder.
    private static func copy(_ backup: String, to file: String) throws {
        do {
            _ = try DatabaseCopy(of: backup, to: file, replacing: true)
        } catch let error as StorageError {
            switch error.code {
            case .foreign:
                throw StorageError(
                    .foreign, "\(backup) is not a backup of Apus; name a file that 'apus backup' has made",
                    underlying: error.underlying)
            case .damaged:
                throw StorageError(
                    .damaged, "\(backup) is damaged; take another backup", underlying: error.underlying ?? error)
            case .inUse, .newerVersion, .olderVersion, .missing, .exists, .inaccessible, .full, .readOnly, .disk,
                .closed, .failed:
                throw error
            }
        }
    }

    /// Turns a file that nobody has open to WAL mode. A host that had to do that at its start would need a lock that
    /// nobody gets while anybody reads (https://www.sqlite.org/wal.html#persistence_of_wal_mode).
    private static func useWAL(_ path: String) throws {
        do {
            let file = try DatabaseQueue(path: path)
            _ = try file.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode = WAL") }
            // Takes the WAL away, which has nothing in it.
            try file.close()
        } catch {
            throw StorageError.wrapping(error, path: path)
        }
        try Files.sync(path)
    }

    private static func keep(_ database: String, now: WallTime) throws -> String {
        let kept = database + ".before-" + now.description.filter { $0 != ":" }
        try Files.keep(database, as: kept)
        if access(database + "-wal", F_OK) == 0 { try Files.keep(database + "-wal", as: kept + "-wal") }
        return kept
    }

    /// Brings what a crashed host has left in the WAL into the file. One that is damaged cannot take it; its WAL is
    /// then only beside the file that is kept.
    private static func settle(_ database: String) throws {
        do {
            let file = try DatabaseQueue(path: database)
            try file.settle()
            try file.close()
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            return
        } catch {
            throw StorageError.wrapping(error, path: database)
        }
    }
}
