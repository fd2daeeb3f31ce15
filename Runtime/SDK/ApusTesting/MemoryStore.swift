import Synchronization

/// Keys, values and their versions, as the host's store has them, in memory.
final class MemoryStore: Sendable {
    struct Entry: Sendable, Hashable {
        var value: [UInt8]
        var version: Int
    }

    struct Contents: Sendable {
        private(set) var entries: [String: Entry] = [:]
        private var lastVersion = 0

        subscript(key: String) -> [UInt8]? {
            get { entries[key]?.value }
            set {
                lastVersion += 1
                entries[key] = newValue.map { Entry(value: $0, version: lastVersion) }
            }
        }

        /// The keys that begin with `prefix`, after `after` and up to `last`, in byte order.
        func keys(prefix: String, after: String?, upTo last: String? = nil) -> [String] {
            entries.keys.filter { key in
                key.utf8.starts(with: prefix.utf8) && (after.map { $0.precedes(key) } ?? true)
                    && (last.map { !$0.precedes(key) } ?? true)
            }.sorted { $0.precedes($1) }
        }
    }

    let contents: Mutex<Contents>

    init(_ initial: [String: [UInt8]]) {
        var contents = Contents()
        for (key, value) in initial { contents[key] = value }
        self.contents = Mutex(contents)
    }
}

extension String {
    /// In byte order, which differs from that of `<` for some letters with accents.
    func precedes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
