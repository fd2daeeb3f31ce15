import Events

/// What the writer has to know of a row to move it.
struct QueuePlace {
    var sequence: Int64
    var function: String
    var state: QueueState
    var line: String?
    /// Bytes of its data.
    var size: Int64
}

extension WriteTransaction {
    /// The place of the invocation that still runs for the holder of `lease`; `nil` when it does not.
    func place(of lease: Lease) throws -> QueuePlace? {
        try database.first(
            QueuePlace.ofLease, .id(lease.invocation), .integer(lease.epoch)
        ) { try QueuePlace($0) }
    }

    func place(of id: InvocationID) throws -> QueuePlace? {
        try database.first(QueuePlace.ofInvocation, .id(id)) { try QueuePlace($0) }
    }

    /// Ends the attempt of a running invocation.
    func settle(_ place: QueuePlace, as settlement: Settlement, now: WallTime) throws {
        switch settlement {
        case .done(let result):
            try end(place, as: .done, .succeeded, reason: nil, now: now)
            if let result { try store(result, of: place, now: now) }
        case .dead(let outcome, let reason): try end(place, as: .dead, outcome, reason: reason, now: now)
        case .retry(let due, let outcome, let reason):
            try wait(place, until: due, outcome, reason: reason, uncounted: false)
        case .postponed(let due, let outcome, let reason):
            try wait(place, until: due, outcome, reason: reason, uncounted: true)
        }
    }

    private func wait(
        _ place: QueuePlace, until due: WallTime, _ outcome: Outcome, reason: String, uncounted: Bool
    ) throws {
        try database.run(
            """
            UPDATE invocation SET state = 'waiting', attempt = attempt - ?, due = ?, outcome = ?, reason = ?
            WHERE sequence = ?
            """, .integer(uncounted ? 1 : 0), .time(due), .text(outcome.rawValue), .text(reason),
            .integer(place.sequence))
        move(place, to: .waiting)
    }

    /// Ends a waiting or running invocation for good.
    func end(
        _ place: QueuePlace, as state: QueueState, _ outcome: Outcome, reason: String?, now: WallTime
    ) throws {
        // One that is done needs its data no more; a lease that still runs gets nothing.
        try database.run(
            """
            UPDATE invocation SET state = ?2, ended = ?3, outcome = ?4, reason = ?5, blocked = 0,
                epoch = epoch + (state = 'running'),
                data = iif(?2 = 'done', NULL, data), request = iif(?2 = 'done', NULL, request)
            WHERE sequence = ?1
            """, .integer(place.sequence), .text(state.rawValue), .time(now), .text(outcome.rawValue),
            .optional(reason))
        move(place, to: state)
        try admitNext(in: place.line)
    }

    private func store(_ result: InvocationResult, of place: QueuePlace, now: WallTime) throws {
        try connection.run(
            """
            INSERT OR REPLACE INTO result (sequence, function, status, headers, body, cut, expires)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, .integer(place.sequence), .text(place.function),
            result.status.map { .integer(Int64($0)) } ?? .null, .utf8(HeaderColumn.encode(result.headers)),
            .blob(result.body), .integer(result.isCut ? 1 : 0), .time(now.advanced(by: options.results)))
        var change = QueueTotals()
        change.resultBytes = Int64(result.body.count)
        ledger.add(change, to: place.function)
    }

    /// Counts a row whose state changes.
    func move(_ place: QueuePlace, to state: QueueState) {
        var change = QueueTotals()
        change.add(-1, place.state, size: place.size)
        change.add(1, state, size: place.size)
        ledger.add(change, to: place.function)
    }

    /// Lets the first in line that is left to the front.
    private func admitNext(in line: String?) throws {
        guard let line else { return }
        try database.run(
            """
            UPDATE invocation SET blocked = 0 WHERE blocked = 1 AND sequence = (
                SELECT sequence FROM invocation
                WHERE line = ? AND line IS NOT NULL AND ended IS NULL ORDER BY sequence LIMIT 1)
            """, .text(line))
    }
}

extension QueueTotals {
    /// Counts `rows` in `state`, each with data of `size` bytes.
    mutating func add(_ rows: Int, _ state: QueueState, size: Int64) {
        switch state {
        case .waiting:
            counts.waiting += rows
            counts.bytes += Int64(rows) * size
        case .running:
            counts.running += rows
            counts.bytes += Int64(rows) * size
        case .done:
            counts.done += rows
            kept += rows
        case .dead:
            counts.dead += rows
            deadBytes += Int64(rows) * size
        }
    }
}

extension QueuePlace {
    /// `length` of a blob or a text reads its header alone.
    private static let query = """
        SELECT sequence, function, state, line,
            coalesce(length(data), 0) + coalesce(length(CAST(request AS BLOB)), 0)
        FROM invocation
        """
    fileprivate static let ofInvocation = query + " WHERE id = ?"
    fileprivate static let ofLease = query + " WHERE id = ? AND epoch = ? AND state = 'running'"

    fileprivate init(_ row: Columns) throws {
        guard let state = QueueState(rawValue: row.text(2)) else {
            throw StorageError(.damaged, "an invocation has the unknown state '\(row.text(2))'")
        }
        self.init(
            sequence: row.integer(0), function: row.text(1), state: state, line: row.optionalText(3),
            size: row.integer(4))
    }
}
