import Events
import GRDBSQLite

/// The current row of a statement. Columns count from 0.
struct Columns {
    let statement: OpaquePointer

    func integer(_ index: Int32) -> Int64 { sqlite3_column_int64(statement, index) }
    func time(_ index: Int32) -> WallTime { WallTime(milliseconds: integer(index)) }
    func isNull(_ index: Int32) -> Bool { sqlite3_column_type(statement, index) == SQLITE_NULL }
    func blob(_ index: Int32) -> [UInt8] { Array(bytes(index)) }
    func optionalBlob(_ index: Int32) -> [UInt8]? { isNull(index) ? nil : blob(index) }
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
