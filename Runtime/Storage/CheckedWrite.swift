import Events

/// The one write of some effects, where it sets a key that was read before: one statement sees whether the key has changed
/// since, and sets it.
struct CheckedWrite: Sendable {
    let key: StateKey
    let value: [UInt8]
    /// The version that was read; `nil` where there was nothing.
    let previous: Int64?
    /// But for the new version.
    private let arguments: Arguments

    fileprivate init(_ key: StateKey, _ value: [UInt8], after previous: Int64, in namespace: String) {
        self.key = key
        self.value = value
        self.previous = previous == 0 ? nil : previous
        arguments = Arguments(room: value.count + key.count + namespace.utf8.count + 64) {
            $0.add(blob: value)
            $0.add(namespace)
            $0.add(key)
            if previous != 0 { $0.add(previous) }
        }
    }

    /// `false` when the key has changed; nothing is written then.
    func write(version: Int64, in database: Connection) throws -> Bool {
        let sql = previous == nil ? Self.insertion : Self.update
        return try database.run(sql, arguments, version) == 1
    }

    private static let insertion = """
        INSERT INTO state (value, namespace, key, version) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING
        """
    private static let update = """
        UPDATE state SET value = ?1, version = ?5 WHERE namespace = ?2 AND key = ?3 AND version = ?4
        """
}

extension Effects {
    /// `nil` where there is more to write, or something else.
    var checkedWrite: CheckedWrite? {
        guard writes.count == 1, let written = writes.first, case .set(let value) = written.write,
            !written.key.isEmpty, let read = reads.first(where: { $0.key == written.key })
        else { return nil }
        return CheckedWrite(written.key, value, after: read.version, in: namespace)
    }
}
