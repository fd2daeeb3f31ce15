package import Events

extension Store {
    /// Those that came last or, of each state, ended last or are due last: of `function` or of all.
    package func recent(function: String?, state: QueueState?, limit: Int) async throws -> [QueueRecord] {
        let states = state.map { [$0] } ?? QueueState.allCases
        let found = try readingSnapshot { database in
            // One short look at the end of each (function, state); there are few of them, and their rows may be many.
            try database.functions(function).flatMap { function in
                try states.flatMap { try database.latest(limit, of: function, in: $0) }
            }
        }
        return found.sorted { $0.sequence > $1.sequence }.prefix(max(0, limit)).map(\.record)
    }

    /// `nil` when there is none, or no longer.
    package func record(of id: InvocationID) async throws -> QueueRecord? {
        try reading { database in
            try database.first("SELECT \(QueueRecord.columns) FROM invocation WHERE id = ?", .id(id)) {
                try $0.record().record
            }
        }
    }

    /// What the invocation has answered; `nil` when it has not, or when that is not kept any more.
    package func result(of id: InvocationID) async throws -> InvocationResult? {
        try reading { database in
            try database.first(
                """
                SELECT status, headers, body, cut FROM result
                WHERE sequence = (SELECT sequence FROM invocation WHERE id = ?)
                """, .id(id)
            ) { row in
                InvocationResult(
                    status: row.isNull(0) ? nil : Int(row.integer(0)),
                    headers: try HeaderColumn.decode(row.optionalBlob(1) ?? Array("[]".utf8)), body: row.blob(2),
                    isCut: row.integer(3) == 1)
            }
        }
    }
}

extension Connection {
    typealias Numbered = (sequence: Int64, record: QueueRecord)

    fileprivate func functions(_ only: String?) throws -> [String] {
        if let only { return [only] }
        return try all("SELECT function FROM queue_count") { $0.text(0) }
    }

    fileprivate func latest(_ limit: Int, of function: String, in state: QueueState) throws -> [Numbered] {
        let limit = Binding.integer(Int64(max(0, limit)))
        switch state {
        case .waiting:
            return try [0, 1].flatMap { blocked in
                try NewInvocation.urgencies.flatMap { urgency in
                    try all(
                        """
                        SELECT \(QueueRecord.columns) FROM invocation INDEXED BY invocation_waiting
                        WHERE state = 'waiting' AND function = ? AND blocked = ? AND urgency = ?
                        ORDER BY due DESC, sequence DESC LIMIT ?
                        """, .text(function), .integer(Int64(blocked)), .integer(Int64(urgency)), limit
                    ) { try $0.record() }
                }
            }
        case .running:
            return try all(
                """
                SELECT \(QueueRecord.columns) FROM invocation INDEXED BY invocation_running
                WHERE function = ? AND state = 'running' ORDER BY sequence DESC LIMIT ?
                """, .text(function), limit
            ) { try $0.record() }
        case .done, .dead:
            return try all(
                """
                SELECT \(QueueRecord.columns) FROM invocation INDEXED BY invocation_ended
                WHERE function = ? AND state = ? AND ended IS NOT NULL ORDER BY ended DESC, sequence DESC LIMIT ?
                """, .text(function), .text(state.rawValue), limit
            ) { try $0.record() }
        }
    }
}

extension QueueRecord {
    static let columns = """
        sequence, id, function, kind, trigger, source, event, type, subject, state, urgency, attempt, enqueued, due,
        ended, outcome, reason, coalesce(length(data), 0),
        (SELECT expires FROM result WHERE result.sequence = invocation.sequence)
        """
}

extension Columns {
    /// A row of `QueueRecord.columns`.
    func record() throws -> Connection.Numbered {
        guard let kind = TriggerKind(rawValue: text(3)), let state = QueueState(rawValue: text(9)) else {
            throw StorageError(
                .damaged, "invocation \(id(1)) has the unknown kind '\(text(3))' or state '\(text(9))'")
        }
        let record = QueueRecord(
            id: id(1), function: text(2), kind: kind, trigger: text(4), source: text(5), event: text(6), type: text(7),
            subject: optionalText(8), state: state, urgency: Int(integer(10)), attempt: Int(integer(11)),
            enqueued: time(12), due: time(13), ended: optionalTime(14),
            outcome: optionalText(15).flatMap(Outcome.init(rawValue:)), reason: optionalText(16), size: integer(17),
            resultExpires: optionalTime(18))
        return (integer(0), record)
    }
}
