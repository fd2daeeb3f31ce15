import GRDB

extension DatabaseQueue {
    /// Copies what the WAL has into the database file, syncs that, and empties the WAL.
    ///
    /// Waits a moment for who reads, where the connection waits at all, and no longer: a start and a full disk can go on
    /// without.
    ///
    /// - Throws: `StorageError` when somebody reads what would be overwritten, and what GRDB throws.
    func settle() throws {
        do {
            try writeWithoutTransaction { database in
                try database.waiting(atMost: 250) { _ = try database.checkpoint(.truncate) }
            }
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

extension Database {
    /// Runs `body`, in which each wait for a lock ends after `milliseconds`, or sooner where that is usual.
    fileprivate func waiting(atMost milliseconds: Int, _ body: () throws -> Void) throws {
        let usual = try Int.fetchOne(self, sql: "PRAGMA busy_timeout") ?? 0
        try execute(sql: "PRAGMA busy_timeout = \(min(usual, milliseconds))")
        defer { try? execute(sql: "PRAGMA busy_timeout = \(usual)") }
        try body()
    }
}
