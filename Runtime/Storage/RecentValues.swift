import Events
import Synchronization
import Wire

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

    private struct State {
        var rings: NamespaceRings
        /// Odd while one is under way.
        var commits = 0
        var isClosed = false

        mutating func set(_ value: [UInt8], version: Int64, of key: StateKey, in namespace: String) {
            guard !isClosed else { return }
            rings.ring(for: namespace)?.set(value, version: version, of: key.text)
        }

        func remove(_ key: StateKey, in namespace: String) { rings[namespace]?.remove(key.text) }

        mutating func set(_ write: WrittenValues.Entry) {
            if let value = write.value {
                set(value, version: write.version, of: write.key, in: write.namespace)
            } else {
                remove(write.key, in: write.namespace)
            }
        }
    }

    private let state: Mutex<State>

    init(_ rings: NamespaceRings = NamespaceRings(most: 16, size: 8 << 20)) { state = Mutex(State(rings: rings)) }

    func find(_ key: StateKey, in namespace: String) -> Lookup {
        state.withLock { state in
            if let ring = state.rings[namespace] {
                ring.noteUse()
                if let (value, version) = ring.values.value(of: key.text) {
                    return .found(VersionedValue(value: value, version: version))
                }
            }
            return .missing(at: state.commits)
        }
    }

    /// The values of a namespace; `nil` where none are kept.
    func ring(of namespace: String) -> ValueRing? { state.withLock { $0.rings[namespace] } }

    /// Keeps what was read from the database after `find` found nothing.
    func keep(_ value: VersionedValue, of key: StateKey, in namespace: String, missingAt commits: Int) {
        state.withLock { state in
            guard state.commits == commits, commits.isMultiple(of: 2) else { return }
            state.set(value.value, version: value.version, of: key, in: namespace)
        }
    }

    /// Commits with `body` a transaction that has written this, in this order. Whoever is told afterwards finds it here.
    func committing(_ writes: [WrittenValues.Entry], _ body: () throws -> Void) rethrows {
        if writes.isEmpty { return try body() }
        state.withLock { state in
            state.commits += 1
            for write in writes { state.remove(write.key, in: write.namespace) }
        }
        defer { state.withLock { $0.commits += 1 } }
        try body()
        // Of a key that was written twice the last value alone: a worker that looks it up takes no lock, and must not find what
        // is older than what another has read.
        var seen = Set<WrittenValues.Name>()
        state.withLock { state in
            for write in writes.reversed() where writes.count == 1 || seen.insert(write.name).inserted {
                state.set(write)
            }
        }
    }

    /// The next reads of them look into the database.
    func forget(_ keys: [StateKey], in namespace: String) {
        state.withLock { state in
            for key in keys { state.remove(key, in: namespace) }
        }
    }

    /// Every read looks into the database from now on.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.rings.removeAll()
        }
    }
}

/// What the open transaction has written to keys. Confined to the writer's thread.
final class WrittenValues {
    struct Entry {
        var namespace: String
        var key: StateKey
        /// `nil` when it is gone, or what it is is not known.
        var value: [UInt8]?
        var version: Int64

        var name: Name { Name(namespace: namespace, key: key) }
    }

    struct Name: Hashable {
        var namespace: String
        var key: StateKey
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
