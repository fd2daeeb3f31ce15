import Events

/// An invocation as its row will be: made by whoever enqueues, so that the writer's thread only stores it.
struct QueueRow: Sendable {
    let function: String
    /// Bytes that count for the bounds of the queue.
    let size: Int
    /// Of an insertion, but for the time.
    let arguments: Arguments
    /// Whether no row that is there already says anything about this one, but that its id is new.
    fileprivate let isIndependent: Bool

    init(_ new: NewInvocation) {
        function = new.function
        isIndependent = !new.mayRepeat && new.line == nil
        var size = new.event.data.count
        arguments = Arguments(room: size + 768) { arguments in
            arguments.add(new.id)
            arguments.add(new.function)
            arguments.add(new.kind.rawValue)
            arguments.add(new.trigger)
            arguments.add(new.event.source)
            arguments.add(new.event.id)
            arguments.add(new.event.type)
            arguments.add(new.event.subject)
            arguments.add(new.event.time.milliseconds)
            arguments.add(new.event.dataContentType)
            arguments.add(text: ExtensionAttributes.encode(new.event.extensions))
            arguments.add(blob: new.event.data)
            size += arguments.add(new.request)
            arguments.add(new.due.milliseconds)
            arguments.add(new.line)
            arguments.add(Int64(new.urgency))
            arguments.add(new.mayRepeat ? 1 : 0)
        }
        self.size = size
    }

    fileprivate static let carefulInsertion = insertion(
        of: 1,
        blocked: """
            ?15 IS NOT NULL AND EXISTS (
                SELECT 1 FROM invocation WHERE line = ?15 AND line IS NOT NULL AND ended IS NULL)
            """)

    /// Inserts `count` rows that are independent.
    static func insertion(of count: Int) -> String { insertions[count - 1] }

    private static let insertions = (1...NewRows.most).map { insertion(of: $0, blocked: "0") }

    private static func insertion(of count: Int, blocked: String) -> String {
        let rows = (0..<count).map { row in
            let arguments = (1...18).map { "?\(18 * row + $0)" }
            return
                "(\(arguments.joined(separator: ", ")), max(\(arguments[13]), \(arguments[17])), \(blocked), 'waiting')"
        }
        return """
            INSERT INTO invocation (
                id, function, kind, trigger, source, event, type, subject, time, content_type, extensions, data,
                request, due, line, urgency, repeatable, enqueued, since, blocked, state)
            VALUES \(rows.joined(separator: ", "))
            ON CONFLICT DO NOTHING
            """
    }
}

extension WriteTransaction {
    /// Adds an event. `false` when it is known already.
    ///
    /// - Throws: `QueueFull`.
    func enqueue(_ row: QueueRow, now: WallTime) throws -> Bool {
        try ledger.checkRoom(for: row.size, in: row.function, connection)
        return try insert(row, now: now)
    }

    /// Adds an event, also where there is no room for it.
    func insert(_ row: QueueRow, now: WallTime) throws -> Bool {
        if row.isIndependent, let newRows {
            try newRows.add(row.arguments, at: now, to: connection)
        } else if try database.run(QueueRow.carefulInsertion, row.arguments, now.milliseconds) == 0 {
            return false
        }
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
