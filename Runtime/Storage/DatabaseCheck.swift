/// What a look at the whole database has found.
package struct DatabaseCheck: Sendable {
    /// In words; at most `most` of each kind.
    package var violations: [String] = []
    /// Invocations that run, as far as the database knows.
    package var running = 0

    package static let most = 100

    /// Looks at `directory/apus.db` at one instant, also while a host runs, and changes nothing.
    ///
    /// - Throws: `StorageError` when there is no database of this version.
    package init(ofDataFolder directory: String) throws {
        let path = directory + "/apus.db"
        try Files.find(path, orElse: "choose another data folder with --data")
        let file = try Self.open(path)
        do {
            try file.run("BEGIN")
            violations = try Self.damage(in: file)
            // What a damaged page says of its rows is worth nothing.
            guard violations.isEmpty else { return }
            for invariant in Invariant.all { violations += try Self.violations(of: invariant, in: file) }
            running =
                try file.first("SELECT count(*) FROM invocation WHERE state = 'running'") { Int($0.integer(0)) } ?? 0
        } catch {
            throw StorageError.wrapping(error, path: path)
        }
    }

    static func open(_ path: String) throws -> Connection {
        do {
            try Schema.inspect(path)
            let file = try Connection(reading: path, options: Options())
            let version = try file.first("PRAGMA user_version") { $0.integer(0) } ?? 0
            guard version == Migrations.latest else {
                throw StorageError(
                    .olderVersion,
                    """
                    \(path) has schema version \(version), and this Apus has \(Migrations.latest); start it once, which \
                    brings the database up to date
                    """)
            }
            return file
        } catch {
            throw StorageError.wrapping(error, path: path)
        }
    }

    /// What SQLite says of pages and indexes. What its constraints would say, the invariants say in words.
    static func damage(in file: Connection) throws -> [String] {
        try file.run("PRAGMA ignore_check_constraints = 1")
        return try file.all("PRAGMA integrity_check(\(most))") { $0.text(0) }.filter { $0 != "ok" }
            .map { "the file is damaged: \($0)" }
    }

    private static func violations(of invariant: Invariant, in file: Connection) throws -> [String] {
        try file.all(invariant.sql + " LIMIT \(most)") {
            $0.isNull(0) ? $0.text(1) : "the invocation \($0.id(0)) \($0.text(1))"
        }
    }
}
