import Events

extension Store {
    /// The index of the file trigger `key`, by path relative to the watched directory; `nil` before its first scan.
    package func fileIndex(trigger key: String) async throws -> [FilePath: FileStamp]? {
        try readingSnapshot { database in
            guard try database.exists("SELECT 1 FROM file_trigger WHERE key = ?", .text(key)) else { return nil }
            let files = try database.all(
                "SELECT path, size, modified, inode FROM file WHERE trigger = ?", .text(key)
            ) { row in
                let inode = UInt64(bitPattern: row.integer(3))
                return (FilePath(row.text(0)), FileStamp(size: row.integer(1), modified: row.integer(2), inode: inode))
            }
            return Dictionary(files) { first, _ in first }
        }
    }

    /// Changes the index of the file trigger `key` and enqueues the events, as one transaction. `nil` removes a path.
    /// An empty change still marks the first scan as made.
    ///
    /// - Parameter invocations: of one function.
    /// - Throws: `QueueFull` too; the index stays as it is then, so that the change is still to be told.
    package func recordFiles(
        trigger key: String, changes: [FilePath: FileStamp?], invocations: [NewInvocation]
    ) async throws {
        let rows = invocations.map { QueueRow($0) }
        let size = rows.reduce(0) { $0 + $1.size }
        try await writer.perform(bytes: changes.count * 100 + size) { transaction in
            let database = transaction.connection
            // For one of them: there might never be room for all, as long as others take each place that becomes free.
            if let function = rows.first?.function {
                try transaction.ledger.checkRoom(for: size, in: function, database)
            }
            try database.run("INSERT INTO file_trigger (key) VALUES (?) ON CONFLICT DO NOTHING", .text(key))
            for (path, stamp) in changes { try database.record(stamp, of: path, trigger: key) }
            for row in rows { _ = try transaction.insert(row, now: transaction.options.now()) }
        }
    }
}

extension Connection {
    fileprivate func record(_ stamp: FileStamp?, of path: FilePath, trigger: String) throws {
        guard let stamp else {
            try run("DELETE FROM file WHERE trigger = ? AND path = ?", .text(trigger), .text(path.text))
            return
        }
        try run(
            """
            INSERT INTO file (trigger, path, size, modified, inode) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (trigger, path) DO UPDATE SET
                size = excluded.size, modified = excluded.modified, inode = excluded.inode
            """, .text(trigger), .text(path.text), .integer(stamp.size), .integer(stamp.modified),
            .integer(Int64(bitPattern: stamp.inode)))
    }
}
