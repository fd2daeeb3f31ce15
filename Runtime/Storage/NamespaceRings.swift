import Events
import Wire

/// The rings of the namespaces that are in use: each has its own, since the processes of its functions may read all of it.
struct NamespaceRings {
    /// Rings, at most.
    private let most: Int
    /// In bytes.
    private let size: Int
    /// One that nobody has used for so long, and at most twice as long, makes room for another.
    private let patience: Duration
    private let now: @Sendable () -> SteadyTime
    private var rings: [String: ValueRing] = [:]
    /// When uses were last forgotten.
    private var lastLook: SteadyTime

    init(
        most: Int, size: Int, patience: Duration = .seconds(10),
        now: @escaping @Sendable () -> SteadyTime = { .now }
    ) {
        (self.most, self.size, self.patience, self.now) = (most, size, patience, now)
        lastLook = now()
    }

    /// That of a namespace which has one.
    subscript(namespace: String) -> ValueRing? { rings[namespace] }

    /// The same; makes one where there is none. `nil` where there is no room, or no memory: then the database is read.
    mutating func ring(for namespace: String) -> ValueRing? {
        if let ring = rings[namespace] {
            ring.noteUse()
            return ring
        }
        guard rings.count < most || makeRoom() else { return nil }
        // Without memory for it, each read looks into the database.
        rings[namespace] = try? ValueRing(bytes: size)
        return rings[namespace]
    }

    /// Nobody finds anything in them from here on.
    mutating func removeAll() {
        for ring in rings.values { ring.clear() }
        rings = [:]
    }

    private mutating func makeRoom() -> Bool {
        guard now() - lastLook >= patience else { return false }
        lastLook = now()
        // Of all, since it is asked of each how it goes on.
        let unused = rings.filter { !$0.value.takeUse() }
        guard let (namespace, ring) = unused.first else { return false }
        ring.clear()
        rings[namespace] = nil
        return true
    }
}
