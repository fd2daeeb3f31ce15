import Events

extension Store {
    /// The newest first, of `function` or of all.
    package func recent(function: String?, state: QueueState?, limit: Int) async throws -> [QueueRecord] {
        let states = state.map { [$0] } ?? QueueState.allCases
        let found = try readingSnapshot { database in
            // One short look at the end of each (function, state); there are few of them, and their rows may be many.
            try database.functions(function).flatMap { function in
                try states.flatMap { try database.newest(limit, of: function, in: $0) }
            }
        }
        return found.sorted { $0.sequence > $1.sequence }.prefix(max(0, limit)).map(\.record)
    }
}

extension Connection {
    fileprivate func functions(_ only: String?) throws -> [String] {
        if let only { return [only] }
        return try all("SELECT function FROM queue_count") { $0.text(0) }
    }

    fileprivate func newest(
        _ limit: Int, of function: String, in state: QueueState
    ) throws -> [(sequence: Int64, record: QueueRecord)] {
        try all(
            """
            SELECT sequence, id, trigger, type, subject, attempt, enqueued, due, ended, outcome, reason
            FROM invocation INDEXED BY invocation_by_state
            WHERE function = ? AND state = ? ORDER BY sequence DESC LIMIT ?
            """, .text(function), .text(state.rawValue), .integer(Int64(max(0, limit)))
        ) { (sequence: $0.integer(0), record: $0.record(of: function, in: state)) }
    }
}

extension Columns {
    /// A row of `newest`.
    fileprivate func record(of function: String, in state: QueueState) -> QueueRecord {
        QueueRecord(
            id: id(1), function: function, trigger: text(2), type: text(3), subject: optionalText(4), state: state,
            attempt: Int(integer(5)), enqueued: time(6), due: time(7), ended: optionalTime(8),
            outcome: optionalText(9).flatMap(Outcome.init(rawValue:)), reason: optionalText(10))
    }
}
