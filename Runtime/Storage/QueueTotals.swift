/// What `queue_count` says of one function, or how that changes.
struct QueueTotals: Sendable, Equatable {
    var counts = QueueCounts()
    /// Done rows that are still there.
    var kept = 0
    /// Of the data of dead ones.
    var deadBytes: Int64 = 0
    /// Of the results that are kept.
    var resultBytes: Int64 = 0

    static func += (left: inout QueueTotals, right: QueueTotals) {
        left.counts.enqueued += right.counts.enqueued
        left.counts.waiting += right.counts.waiting
        left.counts.running += right.counts.running
        left.counts.done += right.counts.done
        left.counts.dead += right.counts.dead
        left.counts.bytes += right.counts.bytes
        left.kept += right.kept
        left.deadBytes += right.deadBytes
        left.resultBytes += right.resultBytes
    }
}

extension QueueTotals {
    static let columns = "enqueued, waiting, running, done, dead, bytes, kept, dead_bytes, result_bytes"

    /// A row of `columns`, from the column `first` on.
    init(_ row: Columns, first: Int32 = 0) {
        counts.enqueued = Int(row.integer(first))
        counts.waiting = Int(row.integer(first + 1))
        counts.running = Int(row.integer(first + 2))
        counts.done = Int(row.integer(first + 3))
        counts.dead = Int(row.integer(first + 4))
        counts.bytes = row.integer(first + 5)
        kept = Int(row.integer(first + 6))
        deadBytes = row.integer(first + 7)
        resultBytes = row.integer(first + 8)
    }

    private static let replacing = """
        INSERT OR REPLACE INTO queue_count (function, \(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    func write(for function: String, to database: Connection) throws {
        try database.run(
            Self.replacing, .text(function), .integer(Int64(counts.enqueued)), .integer(Int64(counts.waiting)),
            .integer(Int64(counts.running)), .integer(Int64(counts.done)), .integer(Int64(counts.dead)),
            .integer(counts.bytes), .integer(Int64(kept)), .integer(deadBytes), .integer(resultBytes))
    }
}
