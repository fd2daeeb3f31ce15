import Events
import GRDBSQLite

/// An argument of a statement.
enum Binding {
    case null
    case integer(Int64)
    case text(String)
    /// A text, as its bytes.
    case utf8([UInt8])
    case blob([UInt8])

    static func optional(_ text: String?) -> Binding { text.map(Binding.text) ?? .null }
    static func optional(utf8 bytes: [UInt8]?) -> Binding { bytes.map(Binding.utf8) ?? .null }
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
        case .utf8(let bytes) where bytes.count > Int32.max: return SQLITE_TOOBIG
        case .blob(let bytes) where bytes.count > Int32.max: return SQLITE_TOOBIG
        case .text(var text): return text.withUTF8 { Self.bind($0, to: statement, at: index) }
        case .utf8(let bytes): return bytes.withUnsafeBufferPointer { Self.bind($0, to: statement, at: index) }
        case .blob(let bytes):
            guard !bytes.isEmpty else { return sqlite3_bind_zeroblob(statement, index, 0) }
            return bytes.withUnsafeBytes {
                sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), Self.transient)
            }
        }
    }

    private static func bind(_ text: UnsafeBufferPointer<UInt8>, to statement: OpaquePointer, at index: Int32) -> Int32
    {
        text.withMemoryRebound(to: CChar.self) { characters in
            // A null pointer would bind NULL, not the empty text.
            guard let start = characters.baseAddress else {
                return sqlite3_bind_text(statement, index, "", 0, transient)
            }
            return sqlite3_bind_text(statement, index, start, Int32(characters.count), transient)
        }
    }
}

extension InvocationID {
    /// The 16 bytes of RFC 9562, the most significant first.
    fileprivate var bytes: [UInt8] {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
    }
}
