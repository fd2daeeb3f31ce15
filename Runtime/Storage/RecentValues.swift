import Events
import Synchronization

/// Values of keys that were read from the file or written lately, as a read of the database that begins now would find them:
/// that takes ten times as long. What another program writes into the file is not noticed.
///
/// The writer takes out what a transaction has written before it commits, and puts the new values in after. What was read
/// before the end of a commit, and comes after its begin, stays out.
final class RecentValues: Sendable {
    enum Lookup {
        case found(VersionedValue)
        /// Commits that had begun or ended by then.
        case missing(at: Int)
    }

    private struct State: ~Copyable {
        var values: ValueRing
        /// Odd while one is under way.
        var commits = 0
        var isClosed = false

        mutating func set(_ write: WrittenValues.Entry) {
            if let value = write.value {
                values.set(value, version: write.version, of: write.key, in: write.namespace)
            } else {
                values.remove(write.key, in: write.namespace)
            }
        }
    }

    private let state: Mutex<State>

    /// - Parameter bytes: what keys and values may take. The system gives memory only as it is written.
    init(bytes: Int = 8 << 20) { state = Mutex(State(values: ValueRing(bytes: bytes))) }

    func find(_ key: StateKey, in namespace: String) -> Lookup {
        state.withLock { state in
            if !state.isClosed, let value = state.values.value(of: key, in: namespace) { return .found(value) }
            return .missing(at: state.commits)
        }
    }

    /// Keeps what was read from the database after `find` found nothing.
    func keep(_ value: VersionedValue, of key: StateKey, in namespace: String, missingAt commits: Int) {
        state.withLock { state in
            guard state.commits == commits, commits.isMultiple(of: 2) else { return }
            state.values.set(value.value, version: value.version, of: key, in: namespace)
        }
    }

    /// Commits with `body` a transaction that has written this, in this order. Whoever is told afterwards finds it here.
    func committing(_ writes: [WrittenValues.Entry], _ body: () throws -> Void) rethrows {
        if writes.isEmpty { return try body() }
        state.withLock { state in
            state.commits += 1
            for write in writes { state.values.remove(write.key, in: write.namespace) }
        }
        defer { state.withLock { $0.commits += 1 } }
        try body()
        // At once, since a key may have been written twice.
        state.withLock { state in
            for write in writes { state.set(write) }
        }
    }

    /// The next reads of them look into the database.
    func forget(_ keys: [StateKey], in namespace: String) {
        state.withLock { state in
            for key in keys { state.values.remove(key, in: namespace) }
        }
    }

    /// Every read looks into the database from now on.
    func close() { state.withLock { $0.isClosed = true } }
}

/// What the open transaction has written to keys. Confined to the writer's thread.
final class WrittenValues {
    struct Entry {
        var namespace: String
        var key: StateKey
        /// `nil` when it is gone, or what it is is not known.
        var value: [UInt8]?
        var version: Int64
    }

    /// More take memory only for as long as they are here.
    private static let usual = 4096

    /// In their order; those of the unit that runs now come last.
    private(set) var all: [Entry] = []
    /// By units that stay.
    private var kept = 0

    func add(_ value: [UInt8]?, to key: StateKey, in namespace: String, version: Int64) {
        all.append(Entry(namespace: namespace, key: key, value: value, version: version))
    }

    func keepUnit() { kept = all.count }

    /// The unit was undone.
    func dropUnit() { all.removeLast(all.count - kept) }

    /// The transaction has ended.
    func removeAll() {
        all.removeAll(keepingCapacity: all.count <= Self.usual)
        kept = 0
    }
}
