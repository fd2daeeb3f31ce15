/// The counts of the queue while the writer changes it: a row of `queue_count` is written once for each function and
/// transaction, however many invocations moved. Confined to the writer's thread.
final class QueueLedger {
    private final class Entry {
        let function: String
        /// What is committed, and what the units of the open transaction have changed. `nil` until it is read.
        var totals: QueueTotals?
        /// By the unit that runs now, which may be undone.
        var unit = QueueTotals()
        /// As they were in the transaction that asked last.
        var bounds = (QueueBounds(), transaction: 0)
        var isOfUnit = false
        var isChanged = false

        init(function: String) { self.function = function }
    }

    private let load: QueueLoad
    private var entries: [String: Entry] = [:]
    /// Most units are of the same function as the one before.
    private var latest = Entry(function: "")
    /// What the unit that runs now has touched.
    private var unit: [Entry] = []
    private var changed: [Entry] = []
    private var transaction = 1

    init(load: QueueLoad) { self.load = load }

    func add(_ change: QueueTotals, to function: String) {
        // What nothing has happened to gets no row.
        if change == QueueTotals() { return }
        let entry = entry(of: function)
        entry.unit += change
        if entry.isOfUnit { return }
        entry.isOfUnit = true
        unit.append(entry)
    }

    /// Throws `QueueFull` when `bytes` more of data find no room.
    func checkRoom(for bytes: Int, in function: String, _ database: Connection) throws {
        let entry = entry(of: function)
        if entry.bounds.transaction != transaction { entry.bounds = (load.bounds(of: function), transaction) }
        let bounds = entry.bounds.0
        var counts = try totals(of: entry, database).counts
        counts.waiting += entry.unit.counts.waiting
        counts.bytes += entry.unit.counts.bytes
        let isTooMuch = counts.bytes > 0 && counts.bytes + Int64(bytes) > bounds.bytes
        if counts.waiting >= bounds.waiting || isTooMuch { throw QueueFull(function: function, bounds: bounds) }
    }

    private func entry(of function: String) -> Entry {
        if latest.function == function { return latest }
        latest = entries[function] ?? Entry(function: function)
        entries[function] = latest
        return latest
    }

    private func totals(of entry: Entry, _ database: Connection) throws -> QueueTotals {
        if let totals = entry.totals { return totals }
        let totals =
            try database.first(
                "SELECT \(QueueTotals.columns) FROM queue_count WHERE function = ?", .text(entry.function)
            ) { QueueTotals($0) } ?? QueueTotals()
        entry.totals = totals
        return totals
    }

    /// The unit stays.
    func keepUnit(_ database: Connection) throws {
        if unit.isEmpty { return }
        for entry in unit {
            var totals = try totals(of: entry, database)
            totals += entry.unit
            entry.totals = totals
            if !entry.isChanged { changed.append(entry) }
            entry.isChanged = true
        }
        dropUnit()
    }

    /// The unit was undone.
    func dropUnit() {
        for entry in unit {
            entry.unit = QueueTotals()
            entry.isOfUnit = false
        }
        unit.removeAll(keepingCapacity: true)
    }

    func write(to database: Connection) throws {
        for entry in changed { try entry.totals?.write(for: entry.function, to: database) }
    }

    /// The transaction is on disk.
    func committed() {
        load.update(changed.map { ($0.function, $0.totals?.counts ?? QueueCounts()) })
        for entry in changed { entry.isChanged = false }
        changed.removeAll(keepingCapacity: true)
        transaction += 1
    }

    /// The transaction was undone.
    func failed() {
        entries = [:]
        latest = Entry(function: "")
        unit = []
        changed = []
        transaction += 1
    }
}
