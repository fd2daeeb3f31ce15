import Events

/// An invocation as its row will be: made by whoever enqueues, so that the writer's thread only stores it.
struct QueueRow: Sendable {
    let invocation: NewInvocation
    let extensions: [UInt8]?
    let request: [UInt8]?

    init(_ invocation: NewInvocation) {
        self.invocation = invocation
        extensions = ExtensionAttributes.encode(invocation.event.extensions)
        request = RequestColumn.encode(invocation.request)
    }

    /// Bytes that count for the bounds of the queue.
    var size: Int { invocation.event.data.count + (request?.count ?? 0) }
}

extension WriteTransaction {
    /// Adds an event. `false` when it is known already.
    ///
    /// - Throws: `QueueFull`.
    func enqueue(_ row: QueueRow, now: WallTime) throws -> Bool {
        try ledger.checkRoom(for: row.size, in: row.invocation.function, database)
        return try insert(row, now: now)
    }

    /// Adds an event, also where there is no room for it.
    func insert(_ row: QueueRow, now: WallTime) throws -> Bool {
        guard try database.insert(row, now: now) else { return false }
        var change = QueueTotals()
        change.counts.enqueued = 1
        change.counts.waiting = 1
        change.counts.bytes = Int64(row.size)
        ledger.add(change, to: row.invocation.function)
        return true
    }
}

extension Connection {
    /// Whether the event is new.
    fileprivate func insert(_ row: QueueRow, now: WallTime) throws -> Bool {
        let new = row.invocation
        let event = new.event
        return try run(
            """
            INSERT INTO invocation (
                id, function, kind, trigger, source, event, type, subject, time, content_type, extensions, data,
                request, due, line, urgency, repeatable, enqueued, since, blocked, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, max(?14, ?18),
                ?15 IS NOT NULL AND EXISTS (
                    SELECT 1 FROM invocation WHERE line = ?15 AND line IS NOT NULL AND ended IS NULL),
                'waiting')
            ON CONFLICT DO NOTHING
            """,
            .id(new.id), .text(new.function), .text(new.kind.rawValue), .text(new.trigger), .text(event.source),
            .text(event.id), .text(event.type), .optional(event.subject), .time(event.time),
            .optional(event.dataContentType), .optional(utf8: row.extensions), .blob(event.data),
            .optional(utf8: row.request),
            .time(new.due), .optional(new.line), .integer(Int64(new.urgency)), .integer(new.mayRepeat ? 1 : 0),
            .time(now)) == 1
    }
}
