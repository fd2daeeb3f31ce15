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
    private var statements: [StatementText: OpaquePointer] = [:]

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
        for statement in statements.values { sqlite3_finalize(statement) }
        if isOwner { sqlite3_close(handle) }
    }

    /// Runs a statement that returns nothing of interest; says how many rows it inserted, changed or deleted.
    @discardableResult
    func run(_ sql: String, _ values: Binding...) throws -> Int {
        try forEach(sql, values) { _ in }
        return Int(sqlite3_changes(handle))
    }

    /// What `body` makes of the first row; `nil` when there is none.
    func first<Result>(_ sql: String, _ values: Binding..., body: (Columns) throws -> Result) throws -> Result? {
        let statement = try bound(sql, values)
        defer { release(statement) }
        return try step(statement, sql) ? body(Columns(statement: statement)) : nil
    }

    /// Whether there is a row.
    func exists(_ sql: String, _ values: Binding...) throws -> Bool {
        let statement = try bound(sql, values)
        defer { release(statement) }
        return try step(statement, sql)
    }

    /// Gives `body` the rows in order, until it returns `false`; what comes after is not read.
    func visit(_ sql: String, _ values: Binding..., body: (Columns) throws -> Bool) throws {
        let statement = try bound(sql, values)
        defer { release(statement) }
        while try step(statement, sql), try body(Columns(statement: statement)) {}
    }

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
        while try step(statement, sql) { try body(Columns(statement: statement)) }
    }

    private func bound(_ sql: String, _ values: [Binding]) throws -> OpaquePointer {
        let statement = try statements[StatementText(sql: sql)] ?? prepare(sql)
        trace?(sql)
        for (index, value) in values.enumerated() {
            let code = value.bind(to: statement, at: Int32(index + 1))
            if code == SQLITE_OK { continue }
            release(statement)
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: "argument \(index + 1)", sql: sql)
        }
        return statement
    }

    private func prepare(_ sql: String) throws -> OpaquePointer {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(sql) }
        statements[StatementText(sql: sql)] = statement
        return statement
    }

    /// Whether there is a row.
    private func step(_ statement: OpaquePointer, _ sql: String) throws -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: true
        case SQLITE_DONE: false
        default: throw failure(sql)
        }
    }

    private func release(_ statement: OpaquePointer) {
        if let profile {
            let steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1)
            profile(sqlite3_sql(statement).map { String(cString: $0) } ?? "", Int(steps))
        }
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
    }

    private func failure(_ sql: String) -> DatabaseError {
        let code = ResultCode(rawValue: sqlite3_extended_errcode(handle))
        return DatabaseError(resultCode: code, message: String(cString: sqlite3_errmsg(handle)), sql: sql)
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
}
