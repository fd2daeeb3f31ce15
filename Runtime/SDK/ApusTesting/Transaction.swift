import Apus
import Wire

/// What a call has read and wants to write, with the rules of the host: its reads see its own writes, and commit only
/// when what it read is still current.
struct Transaction {
    private struct Scan {
        var prefix: String
        var after: String?
        var last: String?
        var seen: [String: Int]
    }

    private(set) var effects: [Effect] = []
    private(set) var messages: [SentMessage] = []
    private var reads: [String: Int] = [:]
    private var scans: [Scan] = []
    private var writes: [String: Effect] = [:]

    mutating func operate(_ operation: StateRequest, on store: MemoryStore.Contents) -> StateReply {
        switch operation {
        case .get(let key):
            if writes[key]?.hidesStore != true { reads[key] = reads[key] ?? store.entries[key]?.version ?? 0 }
            return visible(key, in: store).map { .value($0) } ?? .absent
        case .set(let key, let value): return write(.set(key, value))
        case .delete(let key): return write(.delete(key))
        case .increment(let key, let amount): return increment(key, by: amount, on: store)
        case .list(let prefix, let after, let limit):
            return list(prefix: prefix, after: after, limit: Int(limit), on: store)
        case .send(let message):
            messages.append(SentMessage(message))
            return .done
        case .found: return .failed(code: "invalid", message: "a test has no memory of values")
        case .commit, .abandon: return .failed(code: "invalid", message: "a call commits when its handler returns")
        }
    }

    /// Forgets what was written and sent; what was read stays.
    mutating func abandonWrites() {
        effects = []
        messages = []
        writes = [:]
    }

    /// Applies the effects; `false` when something that was read has changed.
    func commit(to store: inout MemoryStore.Contents) -> Bool {
        let current = store
        let readsHold = reads.allSatisfy { current.entries[$0.key]?.version ?? 0 == $0.value }
        let scansHold = scans.allSatisfy { scan in
            versions(current.keys(prefix: scan.prefix, after: scan.after, upTo: scan.last), in: current) == scan.seen
        }
        guard readsHold, scansHold else { return false }
        for (key, effect) in writes { store[key] = effect.value(over: current[key]) }
        return true
    }

    // MARK: Operations

    private mutating func write(_ effect: Effect) -> StateReply {
        effects.append(effect)
        writes[effect.key] = effect
        return .done
    }

    private mutating func increment(_ key: String, by amount: Int64, on store: MemoryStore.Contents) -> StateReply {
        guard let before = decimal(visible(key, in: store)) else {
            return .failed(code: "notANumber", message: "the value of '\(key)' is not a number")
        }
        let (number, overflow) = before.addingReportingOverflow(amount)
        guard !overflow else { return .failed(code: "notANumber", message: "'\(key)' would leave the range of Int64") }
        effects.append(.increment(key, by: Int(amount)))
        switch writes[key] {
        case .set, .delete: writes[key] = .set(key, [UInt8](String(number).utf8))
        case .increment(_, let sum): writes[key] = .increment(key, by: sum + Int(amount))
        case nil: writes[key] = .increment(key, by: Int(amount))
        }
        return .number(number)
    }

    private mutating func list(
        prefix: String, after: String?, limit: Int, on store: MemoryStore.Contents
    ) -> StateReply {
        var merged = store
        for (key, effect) in writes { merged[key] = effect.value(over: store[key]) }
        let keys = merged.keys(prefix: prefix, after: after).prefix(limit)
        let last = keys.count < limit ? nil : keys.last
        let seen = versions(store.keys(prefix: prefix, after: after, upTo: last), in: store)
        scans.append(Scan(prefix: prefix, after: after, last: last, seen: seen))
        return .entries(keys.map { WireEntry(key: $0, value: merged[$0] ?? []) }, more: false)
    }

    private func visible(_ key: String, in store: MemoryStore.Contents) -> [UInt8]? {
        guard let effect = writes[key] else { return store[key] }
        return effect.value(over: store[key])
    }

    private func versions(_ keys: [String], in store: MemoryStore.Contents) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: keys.map { ($0, store.entries[$0]?.version ?? 0) })
    }
}

/// One write of a call to its state.
public enum Effect: Sendable, Hashable {
    /// The key has the value now.
    case set(String, [UInt8])
    /// The key is gone.
    case delete(String)
    /// The number that the key holds has grown.
    case increment(String, by: Int)

    /// The key has the text now.
    public static func set(_ key: String, _ text: String) -> Effect { .set(key, [UInt8](text.utf8)) }

    /// The key that is written.
    public var key: String {
        switch self {
        case .set(let key, _), .delete(let key), .increment(let key, _): key
        }
    }

    /// Whether a read after it tells nothing of what the store has.
    var hidesStore: Bool {
        switch self {
        case .set, .delete: true
        case .increment: false
        }
    }

    func value(over stored: [UInt8]?) -> [UInt8]? {
        switch self {
        case .set(_, let value): value
        case .delete: nil
        case .increment(_, let amount): [UInt8](String((decimal(stored) ?? 0) + Int64(amount)).utf8)
        }
    }
}

private func decimal(_ value: [UInt8]?) -> Int64? {
    guard let value else { return 0 }
    return Int64(String(decoding: value, as: UTF8.self))
}
