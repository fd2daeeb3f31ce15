/// The keys that begin with a prefix, in byte order, from some key on.
struct KeyRange {
    /// All keys are greater than this, or equal when `includesLower`.
    private let lower: [UInt8]
    private let includesLower: Bool
    /// All keys are less than this; `nil` when there is no end.
    private let upper: [UInt8]?

    init(prefix: String, after: String?) {
        let prefix = Array(prefix.utf8)
        let after = after.map { Array($0.utf8) }
        if let after, !after.lexicographicallyPrecedes(prefix) {
            (lower, includesLower) = (after, false)
        } else {
            (lower, includesLower) = (prefix, true)
        }
        upper = Self.end(of: prefix)
    }

    /// The least bytes that are greater than everything that begins with `prefix`. The last byte of UTF-8 is at most
    /// 0xBF, so there is always a next.
    private static func end(of prefix: [UInt8]) -> [UInt8]? {
        guard let last = prefix.last else { return nil }
        return prefix.dropLast() + [last + 1]
    }

    /// Gives `body` the `columns` of the first `limit` keys of `namespace`, until it returns `false`.
    func visit(
        _ columns: String, _ namespace: String, _ limit: Int, _ database: Connection, body: (Columns) throws -> Bool
    ) throws {
        let sql = "SELECT \(columns) FROM state WHERE namespace = ? AND key \(includesLower ? ">=" : ">") ?"
        let limit = Binding.integer(Int64(max(0, limit)))
        guard let upper else {
            return try database.visit(sql + " ORDER BY key LIMIT ?", .text(namespace), .blob(lower), limit, body: body)
        }
        try database.visit(
            sql + " AND key < ? ORDER BY key LIMIT ?", .text(namespace), .blob(lower), .blob(upper), limit, body: body)
    }
}
