import Wire

/// Keys and values that last: the state of a function, or of the namespace that its manifest names.
///
/// A call is a transaction. Its reads see its own writes; what it writes is committed when the handler has succeeded, as
/// one, or not at all. If others changed meanwhile what it has read, the host runs the handler again on fresh values.
/// Keys are 1 to 1,024 bytes of UTF-8, values at most 1 MiB; anything else throws a `StateError`.
public struct State: Sendable {
    /// A key with its value.
    public struct Entry: Sendable, Hashable {
        /// The key.
        public var key: String
        /// The value.
        public var value: [UInt8]
    }

    /// Bytes that a key may have.
    public static let maximumKey = 1024
    /// Bytes that a value may have: 1 MiB.
    public static let maximumValue = 1 << 20

    /// Bytes that the attributes of a message may have together.
    static let maximumAttributes = 16 << 10

    /// A host gives no more entries at once.
    private static let largestPage = 10_000

    package let link: any CallLink
    let scope: UInt32

    /// The value of `key`; `nil` where there is none.
    @inline(__always)
    public nonisolated(nonsending) func get(_ key: String) async throws -> [UInt8]? {
        let key = try checked(key)
        if let value = link.lookUp(key, in: scope) { return value }
        switch try await operate(.get(key: key)) {
        case .value(let value): return value
        case .absent: return nil
        case let reply: throw unexpected(reply)
        }
    }

    /// The value of `key` as text; bytes that are not UTF-8 are replaced by U+FFFD.
    public nonisolated(nonsending) func string(_ key: String) async throws -> String? {
        try await get(key).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Writes `key`. Waits for no answer of the host; what it refuses fails the call.
    @inline(__always)
    public nonisolated(nonsending) func set(_ key: String, _ value: [UInt8]) async throws {
        guard value.count <= Self.maximumValue else {
            throw StateError(.invalid, "the value of '\(key)' has \(value.count) bytes; the most is 1 MiB")
        }
        try await link.hand(over: .set(key: try checked(key), value: value), in: scope)
    }

    /// Writes `key` as UTF-8 text.
    public nonisolated(nonsending) func set(_ key: String, _ value: String) async throws {
        try await set(key, [UInt8](value.utf8))
    }

    /// Removes `key`; no error where there is none.
    public nonisolated(nonsending) func delete(_ key: String) async throws {
        try await link.hand(over: .delete(key: try checked(key)), in: scope)
    }

    /// Adds to the number that `key` holds as decimal digits; an absent key counts as 0. Returns the number as this
    /// call sees it.
    ///
    /// Increments commute: two calls that increment the same key never conflict, so a counter costs no re-runs. The
    /// number returned is therefore not unique to this call, unless the call also reads the key with `get`.
    @discardableResult
    public nonisolated(nonsending) func increment(_ key: String, by amount: Int = 1) async throws -> Int {
        let key = try checked(key)
        if let sum = link.increment(key, by: amount, in: scope) { return sum }
        switch try await operate(.increment(key: key, by: Int64(amount))) {
        case .number(let number): return Int(number)
        case let reply: throw unexpected(reply)
        }
    }

    /// The keys that begin with `prefix` and come after `after`, in byte order, at most `limit` of them.
    ///
    /// A key that others add or remove within what was listed is a conflict, too.
    public nonisolated(nonsending) func list(prefix: String = "", after: String? = nil, limit: Int = 100) async throws
        -> [Entry]
    {
        if !prefix.isEmpty { _ = try checked(prefix) }
        var after = try after.map(checked)
        var entries: [Entry] = []
        while entries.count < limit {
            let size = min(limit - entries.count, Self.largestPage)
            let request = StateRequest.list(prefix: prefix, after: after, limit: UInt32(size))
            guard case .entries(let page, let more) = try await operate(request) else {
                throw UnexpectedReply(description: "the host answered a list with something else")
            }
            entries += page.map { Entry(key: $0.key, value: $0.value) }
            guard more || page.count == size, let last = page.last else { break }
            after = last.key
        }
        return entries
    }

    /// Runs `body` on a state of its own and commits it on the spot, for progress that must survive a failure of the
    /// call. It sees nothing of what the call has written and not committed.
    ///
    /// On a conflict, `body` runs again on fresh values, five times in all; then it throws a `StateError`. When `body`
    /// throws, nothing of it is applied.
    public func immediately<Result: Sendable>(
        _ body: @Sendable (State) async throws -> Result
    ) async throws -> Result {
        for _ in 0..<5 {
            let block = State(link: link, scope: link.newScope())
            if let result = try await block.commit(body) { return result }
        }
        throw StateError(.conflict, "others changed what 'immediately' had read, in each of 5 runs")
    }

    /// `nil` is a conflict.
    private func commit<Result>(_ body: @Sendable (State) async throws -> Result) async throws -> Result? {
        let result: Result
        do {
            result = try await body(self)
        } catch {
            try await link.hand(over: .abandon, in: scope)
            throw error
        }
        switch try await operate(.commit) {
        case .done: return result
        case .conflict: return nil
        case let reply: throw unexpected(reply)
        }
    }

    /// Waits for the host's answer, since only the host knows who there is.
    nonisolated(nonsending) func send(_ message: WireMessage) async throws {
        let reply = try await operate(.send(message))
        guard case .done = reply else { throw unexpected(reply) }
    }

    @inline(__always)
    private nonisolated(nonsending) func operate(_ operation: StateRequest) async throws -> StateReply {
        let reply = try await link.operate(scope, operation)
        guard case .failed(let code, let message) = reply else { return reply }
        throw StateError(StateError.Code(rawValue: code) ?? .unavailable, message)
    }

    private func checked(_ key: String) throws -> String {
        let count = key.utf8.count
        guard count > 0 else { throw StateError(.invalid, "a key must not be empty") }
        guard count <= Self.maximumKey else {
            throw StateError(.invalid, "a key has \(count) bytes; the most is \(Self.maximumKey): '\(key.prefix(40))…'")
        }
        return key
    }

    private func unexpected(_ reply: StateReply) -> UnexpectedReply {
        UnexpectedReply(description: "the host gave a state reply that does not fit its request: \(reply)")
    }
}
