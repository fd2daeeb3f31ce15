import Events
import GRDB
import GRDBSQLite

// GRDB opens, migrates, pools and closes; the statements themselves are bound and stepped here. Its own binding cuts a
// text at its first NUL and turns empty blobs into NULL, and it boxes each argument, which shows on the request path.

/// An argument of a statement, or a column of its result.
enum Binding {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])

    static func optional(_ text: String?) -> Binding { text.map(Binding.text) ?? .null }
    static func time(_ time: WallTime) -> Binding { .integer(time.milliseconds) }
    static func id(_ id: InvocationID) -> Binding { .blob(id.bytes) }
}

extension Database {
    /// Runs a statement that returns nothing of interest; says how many rows it inserted, changed or deleted.
    @discardableResult
    func run(_ sql: String, _ values: Binding...) throws -> Int {
        try forEach(sql, values) { _ in }
        return Int(sqlite3_changes(sqliteConnection))
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

    /// What `body` makes of each row, in order.
    func all<Result>(_ sql: String, _ values: Binding..., body: (Columns) throws -> Result) throws -> [Result] {
        var results: [Result] = []
        try forEach(sql, values) { results.append(try body($0)) }
        return results
    }

    private func forEach(_ sql: String, _ values: [Binding], _ body: (Columns) throws -> Void) throws {
        let statement = try bound(sql, values)
        defer { release(statement) }
        while try step(statement, sql) { try body(Columns(statement: statement)) }
    }

    private func bound(_ sql: String, _ values: [Binding]) throws -> OpaquePointer {
        let statement = try cachedStatement(sql: sql).sqliteStatement
        for (index, value) in values.enumerated() {
            guard value.bind(to: statement, at: Int32(index + 1)) == SQLITE_OK else { throw failure(sql) }
        }
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
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
    }

    private func failure(_ sql: String) -> DatabaseError {
        DatabaseError(resultCode: lastErrorCode, message: lastErrorMessage, sql: sql)
    }
}

/// The current row of a statement. Columns count from 0.
struct Columns {
    fileprivate let statement: OpaquePointer

    func integer(_ index: Int32) -> Int64 { sqlite3_column_int64(statement, index) }
    func time(_ index: Int32) -> WallTime { WallTime(milliseconds: integer(index)) }
    func isNull(_ index: Int32) -> Bool { sqlite3_column_type(statement, index) == SQLITE_NULL }
    func blob(_ index: Int32) -> [UInt8] { Array(bytes(index)) }
    func optionalText(_ index: Int32) -> String? { isNull(index) ? nil : text(index) }
    func optionalTime(_ index: Int32) -> WallTime? { isNull(index) ? nil : time(index) }

    func text(_ index: Int32) -> String { String(decoding: bytes(index), as: UTF8.self) }

    func id(_ index: Int32) -> InvocationID {
        let bytes = bytes(index)
        return InvocationID(
            high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Valid until the next step.
    private func bytes(_ index: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(statement, index)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, index)))
    }
}

extension Binding {
    /// Tells SQLite to copy what is bound; the value is the one that `sqlite3.h` defines as SQLITE_TRANSIENT.
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    fileprivate func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch self {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let value): return sqlite3_bind_int64(statement, index, value)
        case .text(var text):
            return text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { characters in
                    let start = characters.baseAddress
                    // A null pointer would bind NULL, not the empty text.
                    guard let start else { return sqlite3_bind_text(statement, index, "", 0, Self.transient) }
                    return sqlite3_bind_text(statement, index, start, Int32(characters.count), Self.transient)
                }
            }
        case .blob(let bytes):
            guard !bytes.isEmpty else { return sqlite3_bind_zeroblob(statement, index, 0) }
            return bytes.withUnsafeBytes {
                sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), Self.transient)
            }
        }
    }
}

extension InvocationID {
    /// The 16 bytes of RFC 9562, the most significant first.
    fileprivate var bytes: [UInt8] {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
    }
}
