import GRDB

extension DatabaseQueue {
    /// Copies what the WAL has into the database file, syncs that, and empties the WAL.
    ///
    /// - Throws: `StorageError` when somebody reads what would be overwritten, and what GRDB throws.
    func settle() throws {
        do {
            try writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw StorageError(
                .inUse,
                """
                another program reads \(path), so that its log cannot be emptied; wait for what reads, such as a \
                backup or an sqlite3 shell, or end it, and try again
                """, underlying: error)
        }
    }
}
