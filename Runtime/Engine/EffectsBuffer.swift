package import Events
package import Storage

/// What one invocation, or one `immediately` block, has read and written so far: own writes are visible to own reads,
/// a key reads the same each time, and everything it depended on is remembered for the check at commit.
///
/// Pure: it says what to look up in the store and is told what was found there.
package struct EffectsBuffer: Sendable {
    /// What must be looked up before the operation can be answered.
    package enum Lookup: Sendable, Hashable {
        case none(Result<StateResult, StateError>)
        case value(key: String)
        case scan(prefix: String, after: String?, limit: Int)
    }

    /// Bytes of keys and values that one unit of effects may write.
    package static let maximumWritten = 16 << 20
    /// Bytes of one answer to `list`; what is more needs another question.
    package static let maximumListed = 4 << 20
    package static let maximumLimit = 10_000
    package static let maximumKey = 1024
    package static let maximumValue = 1 << 20

    package private(set) var effects: Effects
    /// What the store held when a key was first looked up.
    private var seen: [String: VersionedValue?] = [:]
    private var written = 0

    package init(namespace: String) { effects = Effects(namespace: namespace) }

    package var isEmpty: Bool { effects.reads.isEmpty && effects.scans.isEmpty && effects.writes.isEmpty }

    /// Takes the operation in as far as it goes without the store.
    package mutating func begin(_ operation: StateOperation) -> Lookup {
        if let error = Self.problem(in: operation) { return .none(.failure(error)) }
        switch operation {
        case .get(let key):
            switch effects.writes[key] {
            case .set(let value): return .none(.success(.value(value)))
            case .delete: return .none(.success(.value(nil)))
            case .increment, nil: return lookup(key, for: operation)
            }
        case .increment(let key, _): return lookup(key, for: operation)
        case .set(let key, let value): return .none(write(key, .set(value), bytes: value.count))
        case .delete(let key): return .none(write(key, .delete, bytes: 0))
        case .list(let prefix, let after, let limit):
            let hidden = effects.writes.keys.count { $0.hasBytePrefix(prefix) }
            return .scan(prefix: prefix, after: after, limit: min(limit, Self.maximumLimit) + hidden)
        case .commit, .abandon: return .none(.success(.done))
        }
    }

    /// Goes on with a `get` or an `increment` whose key was looked up.
    package mutating func found(_ value: VersionedValue?, for operation: StateOperation) -> Result<
        StateResult, StateError
    > {
        switch operation {
        case .get(let key):
            seen[key] = .some(value)
            effects.reads[key] = value?.version ?? 0
            guard case .increment(let amount) = effects.writes[key] else { return .success(.value(value?.value)) }
            return Self.sum(value?.value, amount).map { .value(Array(String($0).utf8)) }
        case .increment(let key, let amount):
            seen[key] = .some(value)
            return increment(key, by: amount, over: value?.value)
        case .set, .delete, .list, .commit, .abandon: return .success(.done)
        }
    }

    /// Goes on with a `list` whose range was scanned with `scanned` as the limit.
    package mutating func found(
        _ entries: [VersionedEntry], scanned: Int, for operation: StateOperation
    ) -> Result<StateResult, StateError> {
        guard case .list(let prefix, let after, let limit) = operation else { return .success(.done) }
        effects.scans.append(
            Effects.Scan(
                prefix: prefix, after: after, limit: scanned,
                seen: entries.map { Effects.Seen(key: $0.key, version: $0.version) }))
        // Past the last key of a full scan lie keys that nobody has looked at; own writes there must wait their turn.
        let horizon = entries.count == scanned ? entries.last?.key : nil
        var merged = Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) })
        for (key, write) in effects.writes where key.hasBytePrefix(prefix) {
            if let after, !after.isByteLess(than: key) { continue }
            if let horizon, horizon.isByteLess(than: key) { continue }
            switch write {
            case .set(let value): merged[key] = value
            case .delete: merged[key] = nil
            case .increment(let amount):
                switch Self.sum(merged[key], amount) {
                case .success(let number): merged[key] = Array(String(number).utf8)
                case .failure(let error): return .failure(error)
                }
            }
        }
        return .success(Self.page(merged, limit: min(limit, Self.maximumLimit), complete: horizon == nil))
    }

    /// Forgets what was written; what was read stays.
    package mutating func abandonWrites() {
        effects.writes = [:]
        written = 0
    }

    private mutating func lookup(_ key: String, for operation: StateOperation) -> Lookup {
        guard let known = seen[key] else { return .value(key: key) }
        return .none(found(known, for: operation))
    }

    private mutating func increment(_ key: String, by amount: Int64, over stored: [UInt8]?) -> Result<
        StateResult, StateError
    > {
        let base: [UInt8]?
        let earlier: Int64
        switch effects.writes[key] {
        case .set(let value): (base, earlier) = (value, 0)
        case .delete: (base, earlier) = (nil, 0)
        case .increment(let sum): (base, earlier) = (stored, sum)
        case nil: (base, earlier) = (stored, 0)
        }
        let (total, overflow) = earlier.addingReportingOverflow(amount)
        guard !overflow else {
            return .failure(StateError(.notANumber, "the increments of '\(key)' pass the range of Int64"))
        }
        switch Self.sum(base, total) {
        case .failure(let error): return .failure(error)
        case .success(let number):
            let write: Effects.Write =
                switch effects.writes[key] {
                case .set, .delete: .set(Array(String(number).utf8))
                case .increment, nil: .increment(total)
                }
            return self.write(key, write, bytes: 8).map { _ in .number(number) }
        }
    }

    private mutating func write(_ key: String, _ write: Effects.Write, bytes: Int) -> Result<StateResult, StateError> {
        written += key.utf8.count + bytes
        guard written <= Self.maximumWritten else {
            let most = Self.maximumWritten >> 20
            return .failure(
                StateError(.invalid, "one invocation may write \(most) MiB of state; write less, or use immediately"))
        }
        effects.writes[key] = write
        return .success(.done)
    }

    private static func page(_ merged: [String: [UInt8]], limit: Int, complete: Bool) -> StateResult {
        let sorted = merged.sorted { $0.key.isByteLess(than: $1.key) }
        var page: [StateEntry] = []
        var bytes = 0
        for (key, value) in sorted.prefix(limit) {
            bytes += key.utf8.count + value.count
            if bytes > maximumListed, !page.isEmpty { break }
            page.append(StateEntry(key: key, value: value))
        }
        return .entries(page, more: page.count < min(limit, sorted.count) || (!complete && page.count < limit))
    }

    private static func sum(_ value: [UInt8]?, _ amount: Int64) -> Result<Int64, StateError> {
        guard let value else { return .success(amount) }
        guard let number = Int64(String(decoding: value, as: UTF8.self)) else {
            return .failure(StateError(.notANumber, "the value is not a decimal number, so it cannot be incremented"))
        }
        let (sum, overflow) = number.addingReportingOverflow(amount)
        return overflow ? .failure(StateError(.notANumber, "the sum passes the range of Int64")) : .success(sum)
    }

    private static func problem(in operation: StateOperation) -> StateError? {
        switch operation {
        case .get(let key), .delete(let key), .increment(let key, _): problem(inKey: key)
        case .set(let key, let value):
            problem(inKey: key)
                ?? (value.count > maximumValue
                    ? StateError(.invalid, "a value of \(value.count) bytes; the most is \(maximumValue)") : nil)
        case .list(_, _, let limit): limit < 1 ? StateError(.invalid, "a limit of \(limit); the least is 1") : nil
        case .commit, .abandon: nil
        }
    }

    private static func problem(inKey key: String) -> StateError? {
        let count = key.utf8.count
        guard count == 0 || count > maximumKey else { return nil }
        return StateError(.invalid, "a key of \(count) bytes; it must have 1 to \(maximumKey)")
    }
}

extension String {
    /// The order in which the store keeps keys: by their UTF-8 bytes.
    func isByteLess(than other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }

    func hasBytePrefix(_ prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}
