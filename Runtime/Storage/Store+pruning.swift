package import Events

extension Store {
    /// Removes what `retention` keeps no longer. What is removed stays counted, as done.
    ///
    /// Works in small steps, so that others get their turn.
    package func prune(_ retention: Retention, now: WallTime) async throws -> Pruned {
        var pruned = Pruned()
        for function in try queueTotals().keys.sorted() {
            pruned.results += try await repeatedly {
                try $0.removeResults(of: function, until: now, limit: Self.step)
            }
            let oldestDone = now.advanced(by: .zero - retention.done)
            pruned.done += try await repeatedly {
                try $0.remove(.done, of: function, endedBefore: oldestDone, limit: Self.step)
            }
            let oldestDead = now.advanced(by: .zero - retention.dead)
            pruned.dead += try await repeatedly {
                try $0.remove(.dead, of: function, endedBefore: oldestDead, limit: Self.step)
            }
        }
        try await pruneToBounds(retention, &pruned)
        return pruned
    }

    /// The function that has the most of something gives of it, so that a busy one does not cost the others their history.
    private func pruneToBounds(_ retention: Retention, _ pruned: inout Pruned) async throws {
        while let (function, kept) = try queueTotals().most(\.kept, above: retention.doneRows) {
            pruned.done += try await once {
                try $0.remove(.done, of: function, endedBefore: nil, limit: min(kept, Self.step))
            }
        }
        while let (function, _) = try queueTotals().most(\.resultBytes, above: retention.resultBytes) {
            pruned.results += try await once {
                try $0.removeResults(of: function, until: nil, limit: Self.smallStep)
            }
        }
        while let (function, dead) = try queueTotals().most(\.counts.dead, above: retention.deadRows) {
            pruned.dead += try await once {
                try $0.remove(.dead, of: function, endedBefore: nil, limit: min(dead, Self.step))
            }
        }
        while let (function, _) = try queueTotals().most(\.deadBytes, above: retention.deadBytes) {
            pruned.dead += try await once {
                try $0.remove(.dead, of: function, endedBefore: nil, limit: Self.smallStep)
            }
        }
    }

    private static let step = 500
    /// Where bytes decide, of which a row may have many.
    private static let smallStep = 16

    private func repeatedly(_ work: @escaping @Sendable (WriteTransaction) throws -> Int) async throws -> Int {
        var removed = 0
        while true {
            let count = try await writer.perform(work)
            removed += count
            if count < Self.step { return removed }
        }
    }

    private func once(_ work: @escaping @Sendable (WriteTransaction) throws -> Int) async throws -> Int {
        let count = try await writer.perform(work)
        // Otherwise the counts claim what is not there, and the loop would not end.
        guard count > 0 else { throw StorageError(.damaged, "the queue's counts do not fit its rows") }
        return count
    }
}

extension [String: QueueTotals] {
    /// Who has the most, and how much too much there is; `nil` when all together are within `bound`.
    fileprivate func most<Amount: BinaryInteger>(
        _ amount: KeyPath<QueueTotals, Amount>, above bound: Amount
    ) -> (function: String, excess: Amount)? {
        let sum = values.reduce(0) { $0 + $1[keyPath: amount] }
        guard sum > bound else { return nil }
        return self.max { $0.value[keyPath: amount] < $1.value[keyPath: amount] }.map { ($0.key, sum - bound) }
    }
}

extension WriteTransaction {
    /// Removes some ended invocations of `function`, the oldest first, with their results. Returns how many.
    fileprivate func remove(
        _ state: QueueState, of function: String, endedBefore time: WallTime?, limit: Int
    ) throws -> Int {
        let rows = try database.all(
            """
            SELECT sequence, coalesce(length(data), 0) + coalesce(length(CAST(request AS BLOB)), 0) FROM invocation
            WHERE function = ? AND state = ? AND ended IS NOT NULL AND ended < ? ORDER BY ended LIMIT ?
            """, .text(function), .text(state.rawValue), .time(time ?? WallTime(milliseconds: .max)),
            .integer(Int64(limit))
        ) { (sequence: $0.integer(0), size: $0.integer(1)) }
        var change = QueueTotals()
        for row in rows {
            change.resultBytes -= try removeResult(row.sequence)
            try database.run("DELETE FROM invocation WHERE sequence = ?", .integer(row.sequence))
            change.add(-1, state, size: row.size)
            change.counts.done += 1
        }
        ledger.add(change, to: function)
        return rows.count
    }

    /// Removes some results of `function` that have expired by `time`; without one, those that expire first.
    fileprivate func removeResults(of function: String, until time: WallTime?, limit: Int) throws -> Int {
        let rows = try database.all(
            "SELECT sequence FROM result WHERE function = ? AND expires <= ? ORDER BY expires LIMIT ?",
            .text(function), .time(time ?? WallTime(milliseconds: .max)), .integer(Int64(limit))
        ) { $0.integer(0) }
        var change = QueueTotals()
        for sequence in rows { change.resultBytes -= try removeResult(sequence) }
        ledger.add(change, to: function)
        return rows.count
    }

    /// Returns how many bytes that were.
    private func removeResult(_ sequence: Int64) throws -> Int64 {
        let size = try database.first("SELECT length(body) FROM result WHERE sequence = ?", .integer(sequence)) {
            $0.integer(0)
        }
        guard let size else { return 0 }
        try database.run("DELETE FROM result WHERE sequence = ?", .integer(sequence))
        return size
    }
}
