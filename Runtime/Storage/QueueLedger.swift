/// The counts of the queue while the writer changes it: a row of `queue_count` is written once for each function and
/// transaction, however many invocations moved. Confined to the writer's thread.
final class QueueLedger {
    private let load: QueueLoad
    /// What is committed, and what the units of the open transaction have changed.
    private var totals: [String: QueueTotals] = [:]
    private var changed: Set<String> = []
    /// By the unit that runs now, which may be undone.
    private var unit: [String: QueueTotals] = [:]

    init(load: QueueLoad) { self.load = load }

    func add(_ change: QueueTotals, to function: String) {
        // What nothing has happened to gets no row.
        if change != QueueTotals() { unit[function, default: QueueTotals()] += change }
    }

    /// Throws `QueueFull` when `bytes` more of data find no room.
    func checkRoom(for bytes: Int, in function: String, _ database: Connection) throws {
        let bounds = load.bounds(of: function)
        let counts = try total(of: function, database).counts
        let isTooMuch = counts.bytes > 0 && counts.bytes + Int64(bytes) > bounds.bytes
        if counts.waiting >= bounds.waiting || isTooMuch { throw QueueFull(function: function, bounds: bounds) }
    }

    func total(of function: String, _ database: Connection) throws -> QueueTotals {
        if totals[function] == nil {
            totals[function] =
                try database.first(
                    "SELECT \(QueueTotals.columns) FROM queue_count WHERE function = ?", .text(function)
                ) { QueueTotals($0) } ?? QueueTotals()
        }
        var total = totals[function] ?? QueueTotals()
        if let change = unit[function] { total += change }
        return total
    }

    /// The unit stays.
    func keepUnit(_ database: Connection) throws {
        for function in unit.keys {
            totals[function] = try total(of: function, database)
            changed.insert(function)
        }
        unit.removeAll(keepingCapacity: true)
    }

    /// The unit was undone.
    func dropUnit() { unit = [:] }

    func write(to database: Connection) throws {
        for function in changed { try totals[function]?.write(for: function, to: database) }
    }

    /// The transaction is on disk.
    func committed() {
        load.update(changed.map { ($0, totals[$0]?.counts ?? QueueCounts()) })
        changed = []
    }

    /// The transaction was undone.
    func failed() {
        totals = [:]
        changed = []
        unit = [:]
    }
}
