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
    /// Keys and lists that one unit of effects may remember, since they are checked at its commit …
    package static let maximumReads = 10_000
    /// … and bytes that remembering them may take.
    package static let maximumRemembered = 64 << 20
    /// Messages, one for each receiver, that one unit of effects may send.
    package static let maximumMessages = 1000
    package static let maximumKey = 1024
    package static let maximumValue = 1 << 20

    package private(set) var effects: Effects
    private var keys = TouchedKeys()
    /// What was looked up in the store.
    private var remembered = (count: 0, bytes: 0)
    private var written = 0

    /// - Parameter depth: of the invocation.
    package init(namespace: String, depth: Int = 0) { effects = Effects(namespace: namespace, depth: depth) }

    package var isEmpty: Bool {
        effects.reads.isEmpty && effects.scans.isEmpty && effects.writes.isEmpty && effects.messages.isEmpty
    }

    /// Takes the operation in as far as it goes without the store.
    package mutating func begin(_ operation: StateOperation) -> Lookup {
        if let error = Self.problem(in: operation) { return .none(.failure(error)) }
        switch operation {
        case .get(let key):
            switch write(of: StateKey(key)) {
            case .set(let value): return .none(.success(.value(value)))
            case .delete: return .none(.success(.value(nil)))
            case .increment, nil: return lookup(key, for: operation)
            }
        case .increment(let key, _): return lookup(key, for: operation)
        case .set(let key, let value): return .none(write(StateKey(key), .set(value), bytes: value.count))
        case .delete(let key): return .none(write(StateKey(key), .delete, bytes: 0))
        case .list(let prefix, let after, let limit):
            let hidden = effects.writes.count { $0.key.hasPrefix(StateKey(prefix)) }
            return .scan(prefix: prefix, after: after, limit: min(limit, Self.maximumLimit) + hidden)
        case .found(let key, let value, let version, let isRead):
            let found = VersionedValue(value: value, version: version)
            return .none(take(found, of: StateKey(key), isRead: isRead))
        case .send, .abandon: return .none(.success(.done))
        }
    }

    /// Goes on with a `get` or an `increment` whose key was looked up.
    package mutating func found(_ value: VersionedValue?, for operation: StateOperation) -> Result<
        StateResult, StateError
    > {
        switch operation {
        case .get(let key):
            let key = StateKey(key)
            if let error = remember(value, of: key, isRead: true) { return .failure(error) }
            guard case .increment(let amount) = write(of: key) else { return .success(.value(value?.value)) }
            return Self.sum(value?.value, amount).map { .value(Array(String($0).utf8)) }
        case .increment(let key, let amount):
            let key = StateKey(key)
            if let error = remember(value, of: key, isRead: false) { return .failure(error) }
            return increment(key, by: amount, over: value?.value)
        case .set, .delete, .list, .send, .abandon, .found: return .success(.done)
        }
    }

    /// Goes on with a `list` whose range was scanned with `limit` entries and `maximumListed` bytes as the limits.
    package mutating func found(
        _ entries: [VersionedEntry], limit scanned: Int, for operation: StateOperation
    ) -> Result<StateResult, StateError> {
        guard case .list(let prefix, let after, let limit) = operation else { return .success(.done) }
        // What lies behind a scan that was cut was not seen, so that the answer does not depend on it.
        let scanned = entries.reduce(0, { $0 + $1.size }) > Self.maximumListed ? entries.count : scanned
        let scan = Effects.Scan(
            prefix: prefix, after: after, limit: scanned,
            seen: entries.map { Effects.Seen(key: StateKey($0.key), version: $0.version) })
        if let error = remember(scan) { return .failure(error) }
        // Past the last key of a full scan lie keys that nobody has looked at; own writes there must wait their turn.
        let horizon = entries.count == scanned ? scan.seen.last?.key : nil
        var merged = Dictionary(entries.map { (StateKey($0.key), $0.value) }) { first, _ in first }
        for (key, write) in effects.writes.lazy.map({ ($0.key, $0.write) }) where key.hasPrefix(StateKey(prefix)) {
            if let after, key <= StateKey(after) { continue }
            if let horizon, horizon < key { continue }
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

    /// Adds messages, one for each receiver.
    package mutating func send(_ messages: [NewInvocation]) -> Result<StateResult, StateError> {
        let total = messages.reduce(written) { $0 + $1.event.size }
        guard effects.messages.count + messages.count <= Self.maximumMessages, total <= Self.maximumWritten else {
            return .failure(
                StateError(
                    .invalid,
                    "one invocation may send \(Self.maximumMessages) messages, one for each function that gets it, "
                        + "of \(Self.maximumWritten >> 20) MiB in all; send less, or use immediately"))
        }
        written = total
        effects.messages += messages
        return .success(.done)
    }

    /// Forgets what was written and sent; what was read stays.
    package mutating func abandonWrites() {
        effects.writes = []
        keys.forgetWrites()
        effects.messages = []
        written = 0
    }

    private mutating func lookup(_ key: String, for operation: StateOperation) -> Lookup {
        guard let known = keys[StateKey(key)]?.found else { return .value(key: key) }
        return .none(found(known, for: operation))
    }

    /// What the handler has found by itself.
    private mutating func take(
        _ value: VersionedValue, of key: StateKey, isRead: Bool
    ) -> Result<StateResult, StateError> {
        if let known = keys[key]?.found, known?.version != value.version {
            return .failure(
                StateError(.invalid, "a worker has looked up '\(key)', of which its call has another version already"))
        }
        return remember(value, of: key, isRead: isRead).map { .failure($0) } ?? .success(.done)
    }

    private mutating func remember(_ value: VersionedValue?, of key: StateKey, isRead: Bool) -> StateError? {
        let known = keys[key]
        if known?.found != nil {
            if known?.isRead == true || !isRead { return nil }
        } else if let error = remember(bytes: key.count + (value?.value.count ?? 0)) {
            return error
        }
        keys.change(key) { ($0.found, $0.isRead) = (value, isRead) }
        if isRead { effects.reads.append(Effects.Seen(key: key, version: value?.version ?? 0)) }
        return nil
    }

    private mutating func remember(_ scan: Effects.Scan) -> StateError? {
        let perKey = MemoryLayout<Effects.Seen>.size
        if let error = remember(bytes: scan.seen.reduce(0) { $0 + $1.key.count + perKey }) { return error }
        effects.scans.append(scan)
        return nil
    }

    /// Makes room for one more thing that was read.
    private mutating func remember(bytes: Int) -> StateError? {
        guard remembered.count < Self.maximumReads, remembered.bytes + bytes <= Self.maximumRemembered else {
            let (most, size) = (Self.maximumReads, Self.maximumRemembered >> 20)
            return StateError(
                .invalid,
                """
                one invocation may read \(most) keys and lists, and \(size) MiB of state; read less, list with a prefix \
                instead of key by key, or use immediately
                """)
        }
        remembered = (remembered.count + 1, remembered.bytes + bytes)
        return nil
    }

    private mutating func increment(_ key: StateKey, by amount: Int64, over stored: [UInt8]?) -> Result<
        StateResult, StateError
    > {
        let base: [UInt8]?
        let earlier: Int64
        let before = write(of: key)
        switch before {
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
                switch before {
                case .set, .delete: .set(Array(String(number).utf8))
                case .increment, nil: .increment(total)
                }
            return self.write(key, write, bytes: 8).map { _ in .number(number) }
        }
    }

    private mutating func write(
        _ key: StateKey, _ write: Effects.Write, bytes: Int
    ) -> Result<StateResult, StateError> {
        let total = written + key.count + bytes
        guard total <= Self.maximumWritten else {
            let most = Self.maximumWritten >> 20
            return .failure(
                StateError(.invalid, "one invocation may write \(most) MiB of state; write less, or use immediately"))
        }
        written = total
        if let place = keys[key]?.write {
            effects.writes[place].write = write
        } else {
            keys.change(key) { $0.write = effects.writes.count }
            effects.writes.append(Effects.KeyWrite(key, write))
        }
        return .success(.done)
    }

    /// What it has written there itself.
    private func write(of key: StateKey) -> Effects.Write? {
        keys[key]?.write.map { effects.writes[$0].write }
    }

    private static func page(_ merged: [StateKey: [UInt8]], limit: Int, complete: Bool) -> StateResult {
        let sorted = merged.sorted { $0.key < $1.key }
        var page: [StateEntry] = []
        var bytes = 0
        for (key, value) in sorted.prefix(limit) {
            bytes += key.count + value.count
            if bytes > maximumListed, !page.isEmpty { break }
            page.append(StateEntry(key: key.text, value: value))
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
        case .set(let key, let value), .found(let key, let value, _, _):
            problem(inKey: key)
                ?? (value.count > maximumValue
                    ? StateError(.invalid, "a value of \(value.count) bytes; the most is \(maximumValue)") : nil)
        case .list(_, _, let limit): limit < 1 ? StateError(.invalid, "a limit of \(limit); the least is 1") : nil
        case .send, .abandon: nil
        }
    }

    private static func problem(inKey key: String) -> StateError? {
        let count = key.utf8.count
        guard count == 0 || count > maximumKey else { return nil }
        return StateError(.invalid, "a key of \(count) bytes; it must have 1 to \(maximumKey)")
    }
}

extension Event {
    /// Bytes, about, that it takes in the store.
    fileprivate var size: Int { data.count + attributes.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count } }
}
