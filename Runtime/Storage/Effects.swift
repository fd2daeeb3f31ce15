package import Events

package struct VersionedValue: Sendable, Hashable {
    package var value: [UInt8]
    /// Greater with each commit that changes the key; never 0.
    package var version: Int64

    package init(value: [UInt8], version: Int64) {
        self.value = value
        self.version = version
    }
}

package struct VersionedEntry: Sendable, Hashable {
    package var key: String
    package var value: [UInt8]
    package var version: Int64

    package init(key: String, value: [UInt8], version: Int64) {
        self.key = key
        self.value = value
        self.version = version
    }

    /// Bytes of the key and the value.
    package var size: Int { key.utf8.count + value.count }
}

/// What an invocation, or one `immediately` block, has read, wants to write in one namespace, and sends.
package struct Effects: Sendable, Hashable {
    package enum Write: Sendable, Hashable {
        case set([UInt8])
        case delete
        /// Adds to the decimal number that the key holds; an absent key counts as 0.
        case increment(Int64)
    }

    package struct KeyWrite: Sendable, Hashable {
        package var key: StateKey
        package var write: Write

        package init(_ key: StateKey, _ write: Write) {
            self.key = key
            self.write = write
        }
    }

    /// One `list`, with what it saw.
    package struct Scan: Sendable, Hashable {
        package var prefix: String
        package var after: String?
        package var limit: Int
        /// Keys and versions in order, as the scan returned them.
        package var seen: [Seen]

        package init(prefix: String, after: String?, limit: Int, seen: [Seen]) {
            self.prefix = prefix
            self.after = after
            self.limit = limit
            self.seen = seen
        }
    }

    package struct Seen: Sendable, Hashable {
        package var key: StateKey
        package var version: Int64

        package init(key: StateKey, version: Int64) {
            self.key = key
            self.version = version
        }
    }

    package var namespace: String
    /// Each key that was read, once, with the version that it had; 0 where there was none.
    package var reads: [Seen] = []
    package var scans: [Scan] = []
    /// Applied in order. A list, like `reads`: most have one, which need not be found again.
    package var writes: [KeyWrite] = []
    /// One for each receiver.
    package var messages: [NewInvocation] = []
    /// Of what has written: how many events led to it (`Invocation.depth`).
    package var depth: Int

    package init(namespace: String, depth: Int = 0) {
        self.namespace = namespace
        self.depth = depth
    }
}
