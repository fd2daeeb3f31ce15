import Events
import GRDBSQLite

/// An argument of a statement.
enum Binding {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])

    static func optional(_ text: String?) -> Binding { text.map(Binding.text) ?? .null }
    static func time(_ time: WallTime) -> Binding { .integer(time.milliseconds) }
    static func id(_ id: InvocationID) -> Binding { .blob(id.bytes) }
}

extension Binding {
    /// Tells SQLite to copy what is bound; the value is the one that `sqlite3.h` defines as SQLITE_TRANSIENT.
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    func bind(to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch self {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let value): return sqlite3_bind_int64(statement, index, value)
        case .text(let text) where text.utf8.count > Int32.max: return SQLITE_TOOBIG
        case .blob(let bytes) where bytes.count > Int32.max: return SQLITE_TOOBIG
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
