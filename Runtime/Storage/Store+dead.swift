package import Events

/// Which dead letters are meant.
package struct DeadFilter: Sendable, Hashable {
    package var function: String?
    package var outcome: Outcome?
    /// Those that died before.
    package var before: WallTime?

    package init(function: String? = nil, outcome: Outcome? = nil, before: WallTime? = nil) {
        self.function = function
        self.outcome = outcome
        self.before = before
    }
}

/// How many dead letters were brought back, and what has kept the others.
package struct Revival: Sendable, Hashable {
    package var count = 0
    package var full: QueueFull?
}

extension Store {
    /// The dead letters that `filter` means, those that died last first. At most `limit` of each function are looked at
    /// for their outcome, so that a rare one may be missed in a long list.
    package func dead(_ filter: DeadFilter, limit: Int) async throws -> [QueueRecord] {
        let found = try readingSnapshot { database in
            try database.functions(with: filter).flatMap { try database.dead(filter, of: $0, limit: limit) }
        }
        return Array(found.sorted { $0.ended > $1.ended }.prefix(max(0, limit)).map(\.record))
    }

    /// Lets a dead letter run again, as if it had just come: its attempts begin anew, and it is the last in its line.
    ///
    /// - Returns: whether it is a dead letter.
    /// - Throws: `QueueFull`.
    package func reviveDead(_ id: InvocationID) async throws -> Bool {
        try await writer.perform { transaction in
            guard let place = try transaction.place(of: id), place.state == .dead else { return false }
            try transaction.revive(place, now: transaction.options.now())
            return true
        }
    }

    /// Lets all that `filter` means run again, the oldest first, until a queue is full.
    package func reviveDead(_ filter: DeadFilter) async throws -> Revival {
        try await forEachDead(filter) { try $0.revive($1, now: $0.options.now()) }
    }

    /// Drops a dead letter: it is done, with the outcome that it had, and is removed with the other done ones.
    ///
    /// - Returns: whether it is a dead letter.
    package func dropDead(_ id: InvocationID) async throws -> Bool {
        try await writer.perform { transaction in
            guard let place = try transaction.place(of: id), place.state == .dead else { return false }
            try transaction.drop(place, now: transaction.options.now())
            return true
        }
    }

    /// Drops all that `filter` means. Returns how many.
    package func dropDead(_ filter: DeadFilter) async throws -> Int {
        try await forEachDead(filter) { try $0.drop($1, now: $0.options.now()) }.count
    }

    private static let deadStep = 200

    /// In small steps, so that others get their turn. What dies meanwhile is left out.
    ///
    /// - Parameter body: may throw `QueueFull` before it has changed anything; then the walk ends. It must not hold the
    ///   store: see `Writer.perform`.
    private func forEachDead(
        _ filter: DeadFilter, _ body: @escaping @Sendable (WriteTransaction, QueuePlace) throws -> Void
    ) async throws -> Revival {
        var filter = filter
        filter.before = filter.before ?? now()
        var revival = Revival()
        for function in try reading({ try $0.functions(with: filter) }) {
            var next: DeadCursor? = DeadCursor()
            while let start = next {
                let step = try await writer.perform { [filter] transaction in
                    try transaction.deadStep(filter, of: function, from: start, limit: Self.deadStep, body)
                }
                revival.count += step.count
                revival.full = step.full
                guard step.full == nil else { return revival }
                next = step.next
            }
        }
        return revival
    }
}

/// Where a walk over the dead letters of a function stands.
private struct DeadCursor: Sendable {
    var ended = WallTime(milliseconds: .min)
    var sequence = Int64.min
}

extension WriteTransaction {
    fileprivate func deadStep(
        _ filter: DeadFilter, of function: String, from start: DeadCursor, limit: Int,
        _ body: (WriteTransaction, QueuePlace) throws -> Void
    ) throws -> (count: Int, next: DeadCursor?, full: QueueFull?) {
        let page = try deadPage(filter, of: function, from: start, limit: limit)
        for (index, place) in page.places.enumerated() {
            do { try body(self, place) } catch let full as QueueFull { return (index, nil, full) }
        }
        return (page.places.count, page.next, nil)
    }

    private func deadPage(
        _ filter: DeadFilter, of function: String, from start: DeadCursor, limit: Int
    ) throws -> (places: [QueuePlace], next: DeadCursor?) {
        var places: [QueuePlace] = []
        var last: DeadCursor?
        var seen = 0
        try database.visit(
            """
            SELECT ended, sequence, outcome, line, coalesce(length(data), 0) + coalesce(length(CAST(request AS BLOB)), 0)
            FROM invocation INDEXED BY invocation_ended
            WHERE function = ?1 AND state = 'dead' AND ended IS NOT NULL AND (ended, sequence) > (?2, ?3) AND ended < ?4
            ORDER BY ended, sequence LIMIT ?5
            """, .text(function), .time(start.ended), .integer(start.sequence),
            .time(filter.before ?? WallTime(milliseconds: .max)), .integer(Int64(limit))
        ) { row in
            seen += 1
            last = DeadCursor(ended: row.time(0), sequence: row.integer(1))
            guard filter.outcome == nil || row.optionalText(2) == filter.outcome?.rawValue else { return true }
            places.append(
                QueuePlace(
                    sequence: row.integer(1), function: function, state: .dead, line: row.optionalText(3),
                    size: row.integer(4)))
            return true
        }
        return (places, seen < limit ? nil : last)
    }

    fileprivate func revive(_ place: QueuePlace, now: WallTime) throws {
        try ledger.checkRoom(for: Int(place.size), in: place.function, database)
        try database.run(
            """
            UPDATE invocation SET state = 'waiting', ended = NULL, attempt = 0, due = ?2, since = ?2,
                sequence = (SELECT max(sequence) + 1 FROM invocation),
                blocked = line IS NOT NULL AND EXISTS (
                    SELECT 1 FROM invocation AS other
                    WHERE other.line = ?3 AND other.line IS NOT NULL AND other.ended IS NULL)
            WHERE sequence = ?1
            """, .integer(place.sequence), .time(now), .optional(place.line))
        move(place, to: .waiting)
    }

    /// Keeps the outcome and the reason; the data goes.
    fileprivate func drop(_ place: QueuePlace, now: WallTime) throws {
        try database.run(
            "UPDATE invocation SET state = 'done', ended = ?, data = NULL, request = NULL WHERE sequence = ?",
            .time(now), .integer(place.sequence))
        move(place, to: .done)
    }
}

extension Connection {
    fileprivate func functions(with filter: DeadFilter) throws -> [String] {
        if let only = filter.function { return [only] }
        return try all("SELECT function FROM queue_count WHERE dead > 0") { $0.text(0) }
    }

    fileprivate func dead(
        _ filter: DeadFilter, of function: String, limit: Int
    ) throws -> [(ended: WallTime, record: QueueRecord)] {
        // Of one outcome there may be few among many.
        let looked = filter.outcome == nil ? limit : max(limit, 10_000)
        var found: [(ended: WallTime, record: QueueRecord)] = []
        try visit(
            """
            SELECT \(QueueRecord.columns) FROM invocation INDEXED BY invocation_ended
            WHERE function = ? AND state = 'dead' AND ended IS NOT NULL AND ended < ?
            ORDER BY ended DESC, sequence DESC LIMIT ?
            """, .text(function), .time(filter.before ?? WallTime(milliseconds: .max)), .integer(Int64(max(0, looked)))
        ) { row in
            let record = try row.record().record
            if filter.outcome == nil || record.outcome == filter.outcome {
                found.append((record.ended ?? record.due, record))
            }
            return found.count < limit
        }
        return found
    }
}
