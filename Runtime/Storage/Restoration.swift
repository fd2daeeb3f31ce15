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

    /// Puts a copy of the database `file` into the data folder, which no host may have. The one that is there gets
    /// another name beside it. Whatever fails, the folder has the old database or the new one.
    ///
    /// - Parameter now: becomes part of the name.
    /// - Throws: `StorageError`.
    package init(of file: String, into directory: String, now: WallTime = .now()) throws {
        guard access(file, R_OK) == 0 else {
            throw errno == ENOENT
                ? StorageError(.missing, "there is no \(file)") : Files.failure("\(file) cannot be read")
        }
        let folder = try DataFolder(directory)
        // The lock is held until all is done.
        defer { withExtendedLifetime(folder) {} }
        let database = folder.database
        let isThere = folder.hasDatabase
        if isThere { try Self.settle(database) }
        let copy = try DatabaseCopy(of: file, to: directory + "/restored.db", replacing: true)
        kept = isThere ? try Self.keep(database, now: now) : nil
        // Never together with the new file: SQLite would take them for its own. The old one is whole without them.
        for end in ["-wal", "-shm"] { try Files.remove(database + end) }
        try Files.sync(directory)
        try Files.move(copy.path, to: database)
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
