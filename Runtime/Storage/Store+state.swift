import Events
package import Wire

extension Store {
    /// The value of `key` and its version; `nil` where there is none.
    package func value(_ key: String, in namespace: String) throws -> VersionedValue? {
        let key = StateKey(key)
        switch recent.find(key, in: namespace) {
        case .found(let value): return value
        case .missing(let commits):
            guard let value = try reading({ try $0.value(of: key, in: namespace) }) else { return nil }
            recent.keep(value, of: key, in: namespace, missingAt: commits)
            return value
        }
    }

    /// Values of a namespace's keys that were read or written lately, in memory that processes of its functions may read. They
    /// are as a read that begins now would find them. `nil`: there are none now.
    package func values(of namespace: String) -> ValueRing? { recent.ring(of: namespace) }

    /// Keys that begin with `prefix`, greater than `after`, in byte order, at most `limit`.
    ///
    /// - Parameter bytes: of keys and values. The entry that passes it is the last one, so that an answer whose sizes
    ///   add up to more was cut there.
    package func scan(
        prefix: String, after: String?, limit: Int, bytes: Int = .max, in namespace: String
    ) throws -> [VersionedEntry] {
        try reading { database in
            var entries: [VersionedEntry] = []
            var size = 0
            try KeyRange(prefix: prefix, after: after).visit("key, value, version", namespace, limit, database) {
                let entry = VersionedEntry(key: $0.text(0), value: $0.blob(1), version: $0.integer(2))
                entries.append(entry)
                size += entry.size
                return size <= bytes
            }
            return entries
        }
    }

    package func namespaces() async throws -> [String] {
        try reading { database in
            // From one namespace to the next, without a look at their keys.
            try database.all(
                """
                WITH RECURSIVE found (name) AS (
                    SELECT min(namespace) FROM state
                    UNION ALL
                    SELECT (SELECT min(namespace) FROM state WHERE namespace > found.name) FROM found
                    WHERE found.name IS NOT NULL)
                SELECT name FROM found WHERE name IS NOT NULL
                """
            ) { $0.text(0) }
        }
    }

    /// Whether all that `effects` has read is still current, at one instant. Needs no writer.
    package func isCurrent(_ effects: Effects) throws -> Bool {
        if try readingSnapshot({ try effects.isCurrent(in: $0) }) { return true }
        // Another try is to read it from the database, whatever has changed it.
        recent.forget(effects.reads.map(\.key), in: effects.namespace)
        return false
    }

    /// Whether `effects` puts anything into the queue when it is committed.
    package func enqueues(_ effects: Effects) -> Bool {
        if !effects.messages.isEmpty { return true }
        guard !effects.writes.isEmpty, let followers = followed[effects.namespace] else { return false }
        return effects.writes.contains { !followers.followers(of: $0.key).isEmpty }
    }

    /// Checks what was read, applies what was written, tells those who follow it, keeps the response and settles the lease,
    /// as one; returns after the `fsync`.
    ///
    /// - Throws: `QueueFull` too, when a message or a change finds no room.
    package func commit(_ commit: Commit) async throws -> CommitResult {
        // `then` is called exactly once.
        try await withUnsafeThrowingContinuation { continuation in
            self.commit(commit) { continuation.resume(with: $0) }
        }
    }

    /// The same without a task: calls `then` after the `fsync`, on the writer's thread, which waits meanwhile; where nothing
    /// can be written, at once. `then` must not be the last to hold the store, which waits for that thread when it goes.
    package func commit(_ commit: Commit, then: @escaping @Sendable (Result<CommitResult, any Error>) -> Void) {
        writer.submit(
            PendingCommit(
                effects: commit.effects, settle: commit.settle, response: commit.response, notices: commit.notices,
                then: then))
    }

    /// Commits effects that settle nothing, with no more work than they need: reads alone are only checked, and one read
    /// alone is consistent with itself.
    ///
    /// - Parameter then: is told once, perhaps at once, else on the writer's thread.
    package func commit(
        _ effects: Effects, then: @escaping @Sendable (Result<CommitResult, any Error>) -> Void
    ) {
        guard effects.writes.isEmpty, effects.messages.isEmpty else {
            return writer.submit(PendingCommit(effects: effects, then: then))
        }
        guard effects.reads.count + effects.scans.count > 1 else { return then(.success(.committed)) }
        then(Result { try isCurrent(effects) ? .committed : .conflicted })
    }

    package func commit(_ effects: Effects) async throws -> CommitResult {
        // `then` is called exactly once.
        try await withUnsafeThrowingContinuation { continuation in
            commit(effects) { continuation.resume(with: $0) }
        }
    }
}

extension Effects {
    /// About how many bytes it writes, messages left out.
    var size: Int {
        writes.reduce(0) { sum, written in
            if case .set(let value) = written.write { sum + value.count } else { sum }
        }
    }

    /// - Parameter key: whose version is not looked at.
    func isCurrent(in database: Connection, except key: StateKey? = nil) throws -> Bool {
        for read in reads where read.key != key {
            if try database.version(of: read.key, in: namespace) ?? 0 != read.version { return false }
        }
        return try scans.allSatisfy { scan in
            let range = KeyRange(prefix: scan.prefix, after: scan.after)
            var rest = scan.seen[...]
            var isSame = true
            try range.visit("key, version", namespace, scan.limit, database) {
                isSame = rest.popFirst() == Seen(key: StateKey($0.text(0)), version: $0.integer(1))
                return isSame
            }
            return isSame && rest.isEmpty
        }
    }

    /// `false` when what `checked` writes was changed by another; nothing is written then.
    func write(
        in transaction: WriteTransaction, _ checked: CheckedWrite?, followers: StateFollowers.Namespace?, now: WallTime
    ) throws -> Bool {
        let version = transaction.nextVersion()
        let connection = transaction.connection
        var count = 0
        for written in writes {
            let key = written.key
            let followers = followers?.followers(of: key) ?? []
            var previous: Int64?
            var value: [UInt8]?
            if let checked {
                guard try checked.write(version: version, in: connection) else {
                    transaction.takeBackVersion()
                    return false
                }
                (previous, value) = (checked.previous, checked.value)
            } else {
                previous = followers.isEmpty ? nil : try connection.version(of: key, in: namespace)
                value = try connection.apply(written.write, to: key, version: version, in: namespace)
            }
            transaction.written.add(value, to: key, in: namespace, version: version)
            // A delete of what is not there changes nothing.
            guard !followers.isEmpty, value != nil || previous != nil else { continue }
            let change = StateChange(
                namespace: namespace, key: key, value: value, version: version, previous: previous, depth: depth)
            try change.checkDepth()
            count += followers.count
            guard count <= StateChange.most else { throw tooManyChanges }
            for row in change.rows(for: followers, at: now) { _ = try transaction.enqueue(row, now: now) }
        }
        return true
    }

    private var tooManyChanges: StateError {
        StateError(
            .invalid,
            "one commit may cause \(StateChange.most) events, one for each change and each function that follows it; "
                + "write less at once, or use immediately")
    }
}

extension Connection {
    /// The new value; `nil` when it is gone.
    fileprivate func apply(
        _ write: Effects.Write, to key: StateKey, version: Int64, in namespace: String
    ) throws -> [UInt8]? {
        switch write {
        case .set(let value):
            try set(key, to: value, version: version, in: namespace)
            return value
        case .delete:
            try run("DELETE FROM state WHERE namespace = ? AND key = ?", .text(namespace), .key(key))
            return nil
        case .increment(let step):
            let sum = Array(String(try number(of: key, in: namespace).adding(step, to: key)).utf8)
            try set(key, to: sum, version: version, in: namespace)
            return sum
        }
    }

    fileprivate func value(of key: StateKey, in namespace: String) throws -> VersionedValue? {
        try first(
            "SELECT value, version FROM state WHERE namespace = ? AND key = ?", .text(namespace), .key(key)
        ) { VersionedValue(value: $0.blob(0), version: $0.integer(1)) }
    }

    fileprivate func version(of key: StateKey, in namespace: String) throws -> Int64? {
        try first("SELECT version FROM state WHERE namespace = ? AND key = ?", .text(namespace), .key(key)) {
            $0.integer(0)
        }
    }

    fileprivate func set(_ key: StateKey, to value: [UInt8], version: Int64, in namespace: String) throws {
        guard !key.isEmpty else { throw StateError(.invalid, "a key must not be empty") }
        try run(
            """
            INSERT INTO state (namespace, key, value, version) VALUES (?, ?, ?, ?)
            ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, version = excluded.version
            """, .text(namespace), .key(key), .blob(value), .integer(version))
    }

    /// The decimal number that `key` holds; 0 where there is none.
    fileprivate func number(of key: StateKey, in namespace: String) throws -> Int64 {
        let value = try first(
            "SELECT value FROM state WHERE namespace = ? AND key = ?", .text(namespace), .key(key)
        ) { $0.text(0) }
        guard let value else { return 0 }
        guard let number = Int64(value) else {
            throw StateError(.notANumber, "the value of '\(key)' is not a whole number of 64 bits")
        }
        return number
    }
}

extension Int64 {
    fileprivate func adding(_ step: Int64, to key: StateKey) throws -> Int64 {
        let (sum, overflows) = addingReportingOverflow(step)
        if overflows { throw StateError(.notANumber, "'\(key)' would leave the range of 64 bits") }
        return sum
    }
}
