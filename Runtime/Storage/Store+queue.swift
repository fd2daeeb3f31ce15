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
            let now = self.now()
            return try rows.reduce(0) { $0 + (try transaction.enqueue($1, now: now) ? 1 : 0) }
        }
    }

    /// Marks up to `limit` waiting invocations of `function` that are due as running and returns them: the most urgent
    /// first, then those that were due first, then those that came first. Counts as the next attempt.
    ///
    /// Invocations of one line run in the order in which they were enqueued: the first that is neither done nor dead goes
    /// before all others, also while it waits for its next attempt. One of a timer that is in a line waits besides for
    /// all that runs of its trigger.
    package func lease(function: String, limit: Int, now: WallTime) async throws -> [LeasedInvocation] {
        guard limit > 0 else { return [] }
        return try await writer.perform { transaction in
            let leased = try transaction.database.ready(function: function, limit: limit, now: now).allowedTogether
            for (sequence, invocation) in leased {
                try transaction.database.run(
                    "UPDATE invocation SET state = 'running', attempt = ?, epoch = ? WHERE sequence = ?",
                    .integer(Int64(invocation.attempt)), .integer(invocation.lease.epoch), .integer(sequence))
            }
            var change = QueueTotals()
            change.add(-leased.count, .waiting, size: 0)
            change.add(leased.count, .running, size: 0)
            transaction.ledger.add(change, to: function)
            return leased.map(\.invocation)
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
    fileprivate func ready(
        function: String, limit: Int, now: WallTime
    ) throws -> [(sequence: Int64, invocation: LeasedInvocation)] {
        var ready: [(sequence: Int64, invocation: LeasedInvocation)] = []
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
            ) { (sequence: $0.integer(0), invocation: try $0.leased(by: function, urgency: urgency)) }
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

extension [(sequence: Int64, invocation: LeasedInvocation)] {
    /// Without those in a line that come after another of their trigger.
    fileprivate var allowedTogether: Self {
        var triggers: Set<String> = []
        return filter {
            let invocation = $0.invocation.invocation
            guard invocation.kind == .timer else { return true }
            return triggers.insert(invocation.trigger).inserted || invocation.line == nil
        }
    }
}

extension Columns {
    /// A row of `ready`.
    fileprivate func leased(by function: String, urgency: Int) throws -> LeasedInvocation {
        guard let kind = TriggerKind(rawValue: text(2)) else {
            throw StorageError(.damaged, "invocation \(id(1)) has the unknown kind '\(text(2))'")
        }
        let event = Event(
            id: text(5), source: text(4), type: text(6), subject: optionalText(7), time: time(8),
            dataContentType: optionalText(9), extensions: try ExtensionAttributes.decode(optionalText(10)),
            data: blob(11))
        let invocation = NewInvocation(
            id: id(1), function: function, kind: kind, trigger: text(3), event: event,
            request: try RequestColumn.decode(optionalText(12)), due: time(13), line: optionalText(14),
            urgency: urgency, mayRepeat: integer(15) == 1)
        return LeasedInvocation(
            lease: Lease(invocation: invocation.id, epoch: integer(17) + 1), invocation: invocation,
            attempt: Int(integer(16)) + 1, since: time(18))
    }
}
