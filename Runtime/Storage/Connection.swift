import Events
import GRDB
import GRDBSQLite

/// A connection to the database with its prepared statements, each of which is kept.
///
/// GRDB opens, migrates and closes the file. The statements are bound and stepped here: a read through its pool takes two
/// transactions and four futex calls, 14 µs and more, where this takes 3; and its binding cuts a text at the first NUL
/// and turns an empty blob into NULL.
///
/// `@unchecked Sendable`: used by one thread at a time, the writer's or the one that took it out of `Readers`.
final class Connection: @unchecked Sendable {
    private let handle: OpaquePointer
    private let isOwner: Bool
    private let trace: (@Sendable (String) -> Void)?
    private let profile: (@Sendable (String, Int) -> Void)?
    private var statements: [StatementText: PreparedStatement] = [:]

    /// Opens `path` for reading.
    ///
    /// - Parameter recovers: undoes a transaction that was cut short by a crash, which a reader may not.
    init(reading path: String, options: Options, recovers: Bool = false) throws {
        var handle: OpaquePointer?
        let mode = recovers ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY
        let code = sqlite3_open_v2(path, &handle, mode | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            sqlite3_close(handle)
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: "cannot open \(path)")
        }
        self.handle = handle
        isOwner = true
        trace = options.trace
        profile = options.profile
        sqlite3_busy_timeout(handle, Options.busyMilliseconds)
        for pragma in options.pragmas { _ = try first("PRAGMA " + pragma, body: { _ in }) }
    }

    /// The connection of `database`, which must stay open for longer.
    init(of database: Database, options: Options) {
        // Only a closed one has none, and nobody can be given a closed one.
        handle = database.sqliteConnection!
        isOwner = false
        trace = options.trace
        profile = options.profile
    }

    deinit {
        statements = [:]
        if isOwner { sqlite3_close(handle) }
    }

    /// Runs a statement that returns nothing of interest; says how many rows it inserted, changed or deleted.
    @discardableResult
    func run(_ sql: String, _ values: Binding...) throws -> Int {
        let statement = try bound(sql, values)
        defer { release(statement) }
        while try statement.step() {}
        return Int(sqlite3_changes(handle))
    }

    /// The same with arguments that were gathered before, but for the last one.
    func run(_ sql: String, _ values: Arguments, _ last: Int64) throws -> Int {
        try run(sql, CollectionOfOne((values, last: last)))
    }

    /// The same with arguments for each of several rows.
    func run(_ sql: String, _ rows: some Collection<(Arguments, last: Int64)>) throws -> Int {
        let statement = try prepared(sql)
        defer {
            release(statement)
            extendLifetime(rows)
        }
        var index: Int32 = 0
        for (values, last) in rows { try statement.bind(values, last, after: &index) }
        while try statement.step() {}
        return Int(sqlite3_changes(handle))
    }

    /// What `body` makes of the first row; `nil` when there is none.
    func first<Result>(_ sql: String, _ values: Binding..., body: (Columns) throws -> Result) throws -> Result? {
        let statement = try bound(sql, values)
        defer { release(statement) }
        return try statement.step() ? body(Columns(statement: statement.handle)) : nil
    }

    /// Whether there is a row.
    func exists(_ sql: String, _ values: Binding...) throws -> Bool {
        let statement = try bound(sql, values)
        defer { release(statement) }
        return try statement.step()
    }

    /// Gives `body` the rows in order, until it returns `false`; what comes after is not read.
    func visit(_ sql: String, _ values: Binding..., body: (Columns) throws -> Bool) throws {
        let statement = try bound(sql, values)
        defer { release(statement) }
        while try statement.step(), try body(Columns(statement: statement.handle)) {}
    }

    /// Grows with each row that is inserted, changed or deleted.
    var changes: Int64 { sqlite3_total_changes64(handle) }

    var isInsideTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// The `errno` of the last call to the system that failed, where that was the reason. SQLite itself keeps none for
    /// a commit that fails, but the file of the WAL does.
    var systemError: Int32 {
        var file: UnsafeMutablePointer<sqlite3_file>?
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file)
        var error: Int32 = 0
        if let file { _ = file.pointee.pMethods?.pointee.xFileControl?(file, SQLITE_FCNTL_LAST_ERRNO, &error) }
        return error == 0 ? sqlite3_system_errno(handle) : error
    }

    /// What `body` makes of each row, in order.
    func all<Result>(_ sql: String, _ values: Binding..., body: (Columns) throws -> Result) throws -> [Result] {
        var results: [Result] = []
        try forEach(sql, values) { results.append(try body($0)) }
        return results
    }
}

extension Connection {
    private func forEach(_ sql: String, _ values: [Binding], _ body: (Columns) throws -> Void) throws {
        let statement = try bound(sql, values)
        defer { release(statement) }
        while try statement.step() { try body(Columns(statement: statement.handle)) }
    }

    private func bound(_ sql: String, _ values: [Binding]) throws -> PreparedStatement {
        let statement = try prepared(sql)
        try statement.bind(values)
        return statement
    }

    private func prepared(_ sql: String) throws -> PreparedStatement {
        trace?(sql)
        if let statement = statements[StatementText(sql: sql)] { return statement }
        let statement = try PreparedStatement(sql, in: handle)
        statements[StatementText(sql: sql)] = statement
        return statement
    }

    private func release(_ statement: PreparedStatement) {
        if let profile {
            profile(statement.sql, Int(sqlite3_stmt_status(statement.handle, SQLITE_STMTSTATUS_VM_STEP, 1)))
        }
        statement.end()
    }
}

/// The text of a statement, by which it is found again. Few have the same length, and two uses of one literal are equal
/// at a glance; to hash all of a text would cost as much as to run a small statement.
private struct StatementText: Hashable {
    let sql: String

    func hash(into hasher: inout Hasher) { hasher.combine(sql.utf8.count) }
}

/// What all connections of a store have in common.
struct Options: Sendable {
    /// Nobody else writes, but a backup tool may hold the file for a moment.
    static let busyMilliseconds: Int32 = 5000

    var pragmas: [String] = []
    var trace: (@Sendable (String) -> Void)?
    /// Is told what each statement cost: the steps of SQLite's virtual machine.
    var profile: (@Sendable (_ sql: String, _ steps: Int) -> Void)?
    /// How long a result is kept.
    var results = Retention().results
    /// The wall clock by which rows are stamped.
    var now: @Sendable () -> WallTime = { .now() }
    var weaknesses: Set<Weakness> = []
}
