package import Events

extension Store {
    /// Adds events; one whose (function, source, id) is known already is skipped. Returns how many were new.
    ///
    /// An event is known until its row is pruned; afterwards its id may come again.
    ///
    /// - Throws: `QueueFull` when they do not all find room; none is added then.
    package func enqueue(_ events: [NewInvocation]) async throws -> Int {
        if events.isEmpty { return 0 }
        let rows = events.map { QueueRow($0) }
        return try await writer.perform(bytes: rows.reduce(0) { $0 + $1.size }) { transaction in
            let now = transaction.options.now()
            return try rows.reduce(0) { $0 + (try transaction.enqueue($1, now: now) ? 1 : 0) }
        }
    }

    /// Adds an event whose id is new, and keeps the response that repeats of its request get, as one. Without a task: `then` is
    /// told as `commit(_:then:)` says.
    package func enqueue(
        _ invocation: NewInvocation, keeping response: IdempotentResponse? = nil,
        then: @escaping @Sendable (Result<CommitResult, any Error>) -> Void
    ) {
        writer.submit(PendingCommit(enqueuing: invocation, response: response, then: then))
    }

    /// Marks up to `limit` waiting invocations of `function` that are due as running and returns them: the most urgent
    /// first, then those that were due first, then those that came first. Counts as the next attempt.
    ///
    /// Invocations of one line run in the order in which they were enqueued: the first that is neither done nor dead goes
    /// before all others, also while it waits for its next attempt. One of a timer that is in a line waits besides for
    /// all that runs of its trigger.
    package func lease(function: String, limit: Int, now: WallTime) async throws -> [LeasedInvocation] {
        guard limit > 0 else { return [] }
        let rows = try await writer.perform { transaction in
            let rows = try transaction.database.ready(function: function, limit: limit, now: now).allowedTogether
            for row in rows {
                try transaction.database.run(
                    "UPDATE invocation SET state = 'running', attempt = ?, epoch = ? WHERE sequence = ?",
                    .integer(Int64(row.attempt)), .integer(row.lease.epoch), .integer(row.sequence))
            }
            var change = QueueTotals()
            change.add(-rows.count, .waiting, size: 0)
            change.add(rows.count, .running, size: 0)
            transaction.ledger.add(change, to: function)
            return rows
        }
        do {
            return try rows.map { try $0.decoded() }
        } catch {
            try await giveBack(rows.map(\.lease))
            throw error
        }
    }

    /// Gives running invocations back, as if they had not been leased (the attempt does not count).
    package func giveBack(_ leases: [Lease]) async throws {
        if leases.isEmpty { return }
        try await writer.perform { transaction in
            for lease in leases {
                guard let place = try transaction.place(of: lease) else { continue }
                try transaction.database.run(
                    "UPDATE invocation SET state = 'waiting', attempt = attempt - 1 WHERE sequence = ?",
                    .integer(place.sequence))
                transaction.move(place, to: .waiting)
            }
        }
    }

    /// When the next waiting invocation of each function is due; the past means now.
    ///
    /// One that is held up by another of its line does not count: it becomes due when that one ends.
    package func nextDue() async throws -> [String: WallTime] {
        try readingSnapshot { database in
            let functions = try database.all("SELECT function FROM queue_count WHERE waiting > 0") { $0.text(0) }
            var due: [String: WallTime] = [:]
            for function in functions { due[function] = try database.nextDue(function: function) }
            return due
        }
    }

    /// Of each function that has any.
    package func queueCounts() async throws -> [String: QueueCounts] { try queueTotals().mapValues(\.counts) }

    func queueTotals() throws -> [String: QueueTotals] {
        let totals = try reading { database in
            try database.all("SELECT function, \(QueueTotals.columns) FROM queue_count") {
                ($0.text(0), QueueTotals($0, first: 1))
            }
        }
        return Dictionary(uniqueKeysWithValues: totals)
    }

    /// How much each function's part of the queue may hold from now on; others have the usual bounds. What is there
    /// already stays.
    package func setBounds(_ bounds: [String: QueueBounds]) { load.replace(bounds: bounds) }

    /// Whether one more invocation of `function` finds room as far as is known; what counts is said by whatever enqueues.
    package func hasRoom(for function: String) -> Bool { load.hasRoom(for: function) }

    package func bounds(of function: String) -> QueueBounds { load.bounds(of: function) }
}

extension Connection {
    /// What may run now, with the attempt and the epoch that it gets by running.
    fileprivate func ready(function: String, limit: Int, now: WallTime) throws -> [LeasedRow] {
        var ready: [LeasedRow] = []
        // One look at the index for each urgency, so that what is not due yet is in the way of nothing.
        for urgency in NewInvocation.urgencies where ready.count < limit {
            ready += try all(
                """
                SELECT sequence, id, kind, trigger, source, event, type, subject, time, content_type, extensions, data,
                    request, due, line, repeatable, attempt, epoch, since
                FROM invocation INDEXED BY invocation_waiting
                WHERE state = 'waiting' AND function = ? AND blocked = 0 AND urgency = ? AND due <= ? AND \(Self.isFree)
                ORDER BY due, sequence LIMIT ?
                """, .text(function), .integer(Int64(urgency)), .time(now), .integer(Int64(limit - ready.count))
            ) { try LeasedRow($0, function: function, urgency: urgency) }
        }
        return ready
    }

    fileprivate func nextDue(function: String) throws -> WallTime? {
        let due = try first(Self.nextDue, .text(function)) { $0.time(0) }
        return due == Self.never ? nil : due
    }

    private static let never = WallTime(milliseconds: .max)

    private static let nextDue: String = {
        let looks = NewInvocation.urgencies.map { urgency in
            """
            coalesce((SELECT due FROM invocation INDEXED BY invocation_waiting
                WHERE state = 'waiting' AND function = ?1 AND blocked = 0 AND urgency = \(urgency) AND \(isFree)
                ORDER BY due LIMIT 1), \(never.milliseconds))
            """
        }
        return "SELECT min(" + looks.joined(separator: ", ") + ")"
    }()

    /// The first in line of a timer waits for what runs of its trigger beside the line, such as what was enqueued before
    /// the manifest asked for one.
    private static let isFree = """
        (line IS NULL OR kind <> 'timer' OR NOT EXISTS (
            SELECT 1 FROM invocation AS other
            WHERE other.kind = 'timer' AND other.ended IS NULL AND other.trigger = invocation.trigger
                AND other.state = 'running'))
        """
}

extension [LeasedRow] {
    /// Without those in a line that come after another of their trigger.
    fileprivate var allowedTogether: Self {
        var triggers: Set<String> = []
        return filter {
            let invocation = $0.invocation
            guard invocation.kind == .timer else { return true }
            return triggers.insert(invocation.trigger).inserted || invocation.line == nil
        }
    }
}

/// A row of `ready`. Its columns of JSON are taken apart by whoever leases, and not by the writer's thread.
private struct LeasedRow {
    let sequence: Int64
    /// But for what the columns of JSON say.
    let invocation: NewInvocation
    let lease: Lease
    let attempt: Int
    let since: WallTime
    let extensions: [UInt8]?
    let request: [UInt8]?

    init(_ row: Columns, function: String, urgency: Int) throws {
        guard let kind = TriggerKind(rawValue: row.text(2)) else {
            throw StorageError(.damaged, "invocation \(row.id(1)) has the unknown kind '\(row.text(2))'")
        }
        let event = Event(
            id: row.text(5), source: row.text(4), type: row.text(6), subject: row.optionalText(7), time: row.time(8),
            dataContentType: row.optionalText(9), data: row.blob(11))
        sequence = row.integer(0)
        invocation = NewInvocation(
            id: row.id(1), function: function, kind: kind, trigger: row.text(3), event: event, due: row.time(13),
            line: row.optionalText(14), urgency: urgency, mayRepeat: row.integer(15) == 1)
        lease = Lease(invocation: invocation.id, epoch: row.integer(17) + 1)
        attempt = Int(row.integer(16)) + 1
        since = row.time(18)
        extensions = row.optionalBlob(10)
        request = row.optionalBlob(12)
    }

    func decoded() throws -> LeasedInvocation {
        var invocation = invocation
        invocation.event.extensions = try ExtensionAttributes.decode(extensions)
        invocation.request = try RequestColumn.decode(request)
        return LeasedInvocation(lease: lease, invocation: invocation, attempt: attempt, since: since)
    }
}
