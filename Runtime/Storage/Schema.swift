import GRDB

/// Brings the file into the shape that this version knows.
enum Schema {
    /// Refuses a file that is not ours or of a later version, before anything is changed.
    ///
    /// - Returns: its version; 0 while nothing is in it.
    @discardableResult
    static func inspect(_ path: String) throws -> Int64 {
        do {
            return try inspect(Connection(reading: path, options: Options()), path)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_READONLY {
            // A host has died while it made the file, and left a journal that is to be rolled back
            // (https://www.sqlite.org/rescode.html#readonly_rollback).
            return try inspect(Connection(reading: path, options: Options(), recovers: true), path)
        }
    }

    private static func inspect(_ file: Connection, _ path: String) throws -> Int64 {
        let id = try file.first("PRAGMA application_id") { $0.integer(0) }
        let version = try file.first("PRAGMA user_version") { $0.integer(0) } ?? 0
        // A host may have died between making the file and filling it. The migrator's own table comes first.
        let others = "SELECT 1 FROM sqlite_master WHERE tbl_name <> 'grdb_migrations' LIMIT 1"
        if try version == 0 && id == 0 && !file.exists(others) { return 0 }
        guard id == Migrations.applicationID else {
            throw StorageError(
                .foreign, "\(path) is not an Apus database; move it away or choose another data folder")
        }
        guard version <= Migrations.latest else { throw newerVersion(version, path) }
        return version
    }

    private static func newerVersion(_ version: Int64, _ path: String) -> StorageError {
        StorageError(
            .newerVersion,
            """
            \(path) has schema version \(version), and this Apus knows versions up to \(Migrations.latest); \
            use the Apus that made it or a later one
            """)
    }

    /// Opens the file for writing, migrates it, and lets wait what was running when the last host ended.
    static func open(_ path: String, _ options: Options) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "apus"
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(Double(Options.busyMilliseconds) / 1000)
        // A transaction that a failing disk does not let end is undone later; GRDB would end the process.
        configuration.allowsUnsafeTransactions = true
        let file = try DatabaseQueue(path: path, configuration: configuration)
        try file.writeWithoutTransaction { database in
            // GRDB chooses NORMAL for WAL, which may lose commits at a power cut.
            let pragmas = ["synchronous = FULL", "wal_autocheckpoint = 4000", "journal_size_limit = 67108864"]
            for pragma in pragmas + options.pragmas { try database.execute(sql: "PRAGMA " + pragma) }
        }
        // Makes durable what a host that died has left in the WAL, before anybody acts on it. Its last commit may be
        // there though its sync failed or never came: Linux counts pages as written that it could not write, and SQLite
        // would append to them. The database file gets a copy, which is synced.
        do {
            try file.settle()
        } catch let error as StorageError where error.code == .inUse {
            // A backup is no reason not to start: then it is synced where it is.
            try Files.sync(path + "-wal")
        }
        try Migrations.migrator.migrate(file)
        try file.writeWithoutTransaction { database in
            // What does not fit into the cache must not go to the WAL before the end of its transaction: SQLite 3.40, which
            // Debian 12 has, can leave wrong checksums there when a savepoint is undone after that, and a recovery would
            // end before it. So the cache grows, by what one batch may be; a migration, which has no savepoints and may
            // change all that there is, comes before.
            try database.execute(sql: "PRAGMA cache_spill = OFF")
            let connection = Connection(of: database, options: options)
            try touchAll(connection)
            // A host that dies between the two must not leave counts that are wrong.
            try database.inTransaction(.immediate) {
                try connection.run(
                    """
                    UPDATE invocation SET state = 'waiting' WHERE state = 'running'
                        AND function IN (SELECT function FROM queue_count WHERE running > 0)
                    """)
                try connection.run(
                    "UPDATE queue_count SET waiting = waiting + running, running = 0 WHERE running > 0")
                return .commit
            }
        }
        return file
    }

    /// Finds damage early, at least where each table and index begins. A check of every page would take too long.
    private static func touchAll(_ connection: Connection) throws {
        for table in [
            "counter", "state", "invocation", "result", "queue_count", "timer", "timer_instant", "file_trigger", "file",
            "idempotent_response",
        ] {
            _ = try connection.exists("SELECT * FROM \(table) LIMIT 1")
        }
    }
}
