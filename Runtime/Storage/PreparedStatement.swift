import Events
import GRDB
import GRDBSQLite

/// A statement that is kept, with room for its arguments: SQLite would allocate memory for each, each time.
///
/// Used by one thread at a time, like its connection.
final class PreparedStatement {
    /// Longer arguments are copied by SQLite.
    private static let room = 2048

    let sql: String
    let handle: OpaquePointer
    private let memory: UnsafeMutableRawBufferPointer
    private var used = 0
    /// Whether something is bound that must not stay.
    private var mustClear = false

    init(_ sql: String, in database: OpaquePointer) throws {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else { throw Self.failure(of: sql, in: database) }
        self.sql = sql
        self.handle = handle
        memory = .allocate(byteCount: sqlite3_bind_parameter_count(handle) > 0 ? Self.room : 0, alignment: 8)
    }

    deinit {
        // Before the memory that its arguments are in.
        sqlite3_finalize(handle)
        memory.deallocate()
    }

    /// Sets all arguments.
    func bind(_ values: [Binding]) throws {
        used = 0
        var index: Int32 = 0
        for value in values {
            index += 1
            try check(bind(value, at: index), index)
        }
    }

    /// Sets the arguments that come after the first `index`, and then `last`. They stay where they are: `values` must live
    /// until the statement is made ready again.
    func bind(_ values: Arguments, _ last: Int64, after index: inout Int32) throws {
        mustClear = true
        try values.forEach { kind, number, content in
            index += 1
            try check(bind(kind, number, content, at: index), index)
        }
        index += 1
        try check(sqlite3_bind_int64(handle, index, last), index)
    }

    private func check(_ code: Int32, _ index: Int32) throws {
        if code == SQLITE_OK { return }
        end()
        throw DatabaseError(resultCode: ResultCode(rawValue: code), message: "argument \(index)", sql: sql)
    }

    /// Whether there is a row.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: true
        case SQLITE_DONE: false
        default: throw Self.failure(of: sql, in: sqlite3_db_handle(handle))
        }
    }

    /// Makes it ready to be bound and stepped again.
    func end() {
        sqlite3_reset(handle)
        if mustClear { sqlite3_clear_bindings(handle) }
        mustClear = false
    }

    private static func failure(of sql: String, in database: OpaquePointer?) -> DatabaseError {
        let code = ResultCode(rawValue: sqlite3_extended_errcode(database))
        return DatabaseError(resultCode: code, message: String(cString: sqlite3_errmsg(database)), sql: sql)
    }
}

// MARK: - Arguments

extension PreparedStatement {
    /// Tells SQLite to copy what is bound; the value is the one that `sqlite3.h` defines as SQLITE_TRANSIENT.
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    private func bind(_ value: Binding, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(handle, index)
        case .integer(let value): return sqlite3_bind_int64(handle, index, value)
        case .text(var text): return text.withUTF8 { bind(text: UnsafeRawBufferPointer($0), at: index) }
        case .utf8(let bytes): return bytes.withUnsafeBytes { bind(text: $0, at: index) }
        case .blob(let bytes): return bytes.withUnsafeBytes { bind(blob: $0, at: index) }
        case .key(let key):
            var text = key.text
            return text.withUTF8 { bind(blob: UnsafeRawBufferPointer($0), at: index) }
        case .id(let id): return id.withBytes { bind(blob: $0, at: index) }
        }
    }

    private func bind(
        _ kind: Arguments.Kind, _ number: Int64, _ content: UnsafeRawBufferPointer, at index: Int32
    ) -> Int32 {
        // It begins within the memory of the arguments, also where it is empty, and stays there (`nil` is SQLITE_STATIC).
        switch kind {
        case .null: sqlite3_bind_null(handle, index)
        case .integer: sqlite3_bind_int64(handle, index, number)
        case .text where number <= Int32.max:
            sqlite3_bind_text(
                handle, index, content.baseAddress!.assumingMemoryBound(to: CChar.self), Int32(number), nil)
        case .blob where number <= Int32.max:
            sqlite3_bind_blob(handle, index, content.baseAddress!, Int32(number), nil)
        case .text, .blob: SQLITE_TOOBIG
        }
    }

    private func bind(text: UnsafeRawBufferPointer, at index: Int32) -> Int32 {
        guard let count = Int32(exactly: text.count) else { return SQLITE_TOOBIG }
        let (start, destructor) = kept(text)
        return sqlite3_bind_text(handle, index, start.assumingMemoryBound(to: CChar.self), count, destructor)
    }

    private func bind(blob: UnsafeRawBufferPointer, at index: Int32) -> Int32 {
        guard let count = Int32(exactly: blob.count) else { return SQLITE_TOOBIG }
        let (start, destructor) = kept(blob)
        return sqlite3_bind_blob(handle, index, start, count, destructor)
    }

    /// Where the bytes stay until the statement is bound again (`nil` as destructor is SQLITE_STATIC), or are until SQLite
    /// has copied them. Never a null pointer, which would bind NULL and not what is empty.
    private func kept(_ bytes: UnsafeRawBufferPointer) -> (UnsafeRawPointer, sqlite3_destructor_type?) {
        // There is room where there is an argument.
        let place = memory.baseAddress! + used
        guard bytes.count <= memory.count - used else {
            mustClear = true
            return (bytes.baseAddress!, Self.transient)
        }
        if let start = bytes.baseAddress { place.copyMemory(from: start, byteCount: bytes.count) }
        used += bytes.count
        return (UnsafeRawPointer(place), nil)
    }
}
