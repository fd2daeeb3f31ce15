import Events

/// An invocation as its row will be: made by whoever enqueues, so that the writer's thread only stores it.
struct QueueRow: Sendable {
    let function: String
    /// Bytes that count for the bounds of the queue.
    let size: Int
    /// Of `insertion`, but for the time.
    fileprivate let arguments: Arguments

    init(_ new: NewInvocation) {
        let event = new.event
        function = new.function
        var size = event.data.count
        arguments = Arguments(room: size + 1024) { arguments in
            arguments.add(new.id)
            arguments.add(new.function)
            arguments.add(new.kind.rawValue)
            arguments.add(new.trigger)
            arguments.add(event.source)
            arguments.add(event.id)
            arguments.add(event.type)
            arguments.add(event.subject)
            arguments.add(event.time.milliseconds)
            arguments.add(event.dataContentType)
            arguments.add(text: ExtensionAttributes.encode(event.extensions))
            arguments.add(blob: event.data)
            size += arguments.add(new.request)
            arguments.add(new.due.milliseconds)
            arguments.add(new.line)
            arguments.add(Int64(new.urgency))
            arguments.add(new.mayRepeat ? 1 : 0)
        }
        self.size = size
    }

    fileprivate static let insertion = """
        INSERT INTO invocation (
            id, function, kind, trigger, source, event, type, subject, time, content_type, extensions, data,
            request, due, line, urgency, repeatable, enqueued, since, blocked, state)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, max(?14, ?18),
            ?15 IS NOT NULL AND EXISTS (
                SELECT 1 FROM invocation WHERE line = ?15 AND line IS NOT NULL AND ended IS NULL),
            'waiting')
        ON CONFLICT DO NOTHING
        """
}

extension WriteTransaction {
    /// Adds an event. `false` when it is known already.
    ///
    /// - Throws: `QueueFull`.
    func enqueue(_ row: QueueRow, now: WallTime) throws -> Bool {
        try ledger.checkRoom(for: row.size, in: row.function, database)
        return try insert(row, now: now)
    }

    /// Adds an event, also where there is no room for it.
    func insert(_ row: QueueRow, now: WallTime) throws -> Bool {
        guard try database.run(QueueRow.insertion, row.arguments, now.milliseconds) == 1 else { return false }
        var change = QueueTotals()
        change.counts.enqueued = 1
        change.counts.waiting = 1
        change.counts.bytes = Int64(row.size)
        ledger.add(change, to: row.function)
        return true
    }
}

extension Arguments.Gatherer {
    /// Adds the column of a request, and returns its bytes.
    fileprivate mutating func add(_ request: RequestHead?) -> Int {
        guard let request else {
            add(text: nil)
            return 0
        }
        return RequestColumn.encode(request) {
            add(utf8: $0)
            return $0.count
        }
    }
}
