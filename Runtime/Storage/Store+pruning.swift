package import Events

extension Store {
    /// Removes done invocations that ended before `time`. Returns how many. They stay counted.
    ///
    /// Also forgets instants of timers that lie more than a day before the last one (see `fire`). Works in small steps,
    /// so that others get their turn.
    package func prune(doneBefore time: WallTime) async throws -> Int {
        try await pruneInstants()
        var removed = 0
        for function in try await queueCounts().keys {
            while true {
                let step = try await writer.perform { try $0.removeDone(of: function, endedBefore: time) }
                removed += step
                if step < WriteTransaction.pruneStep { break }
            }
        }
        return removed
    }
}

extension WriteTransaction {
    fileprivate static let pruneStep = 500

    /// Removes some of the done invocations of `function`, the oldest first, with their results. Returns how many.
    fileprivate func removeDone(of function: String, endedBefore time: WallTime) throws -> Int {
        let rows = try database.all(
            """
            SELECT sequence FROM invocation
            WHERE function = ? AND state = 'done' AND ended < ? AND ended IS NOT NULL ORDER BY ended
            LIMIT \(Self.pruneStep)
            """, .text(function), .time(time)
        ) { $0.integer(0) }
        var change = QueueTotals()
        for sequence in rows {
            change.resultBytes -= try removeResult(sequence)
            try database.run("DELETE FROM invocation WHERE sequence = ?", .integer(sequence))
        }
        change.kept = -rows.count
        ledger.add(change, to: function)
        return rows.count
    }

    /// Returns how many bytes that were.
    func removeResult(_ sequence: Int64) throws -> Int64 {
        let size = try database.first("SELECT length(body) FROM result WHERE sequence = ?", .integer(sequence)) {
            $0.integer(0)
        }
        guard let size else { return 0 }
        try database.run("DELETE FROM result WHERE sequence = ?", .integer(sequence))
        return size
    }
}
