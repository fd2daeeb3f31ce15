package import Events

extension Store {
    /// Adds events; one whose (function, source, id) is known already is skipped. Returns how many were new.
    ///
    /// An event is known until its row is pruned; afterwards its id may come again.
    package func enqueue(_ events: [NewInvocation]) async throws -> Int {
        if events.isEmpty { return 0 }
        let bytes = events.reduce(0) { $0 + $1.event.data.count }
        return try await writer.perform(bytes: bytes) { transaction in
            try events.reduce(0) { $0 + (try transaction.database.enqueue($1, now: .now()) ? 1 : 0) }
        }
    }

    /// Marks up to `limit` waiting invocations of `function` that are due as running and returns them, oldest first.
    /// Counts as the next attempt.
    ///
    /// Exclusive invocations of one trigger run in the order in which they were enqueued: the first that is neither done
    /// nor dead goes before all others, also while it waits for its next attempt. None is leased while any other
    /// invocation of its trigger runs.
    package func lease(function: String, limit: Int, now: WallTime) async throws -> [LeasedInvocation] {
        guard limit > 0 else { return [] }
        return try await writer.perform { transaction in
            let database = transaction.database
            let leased = try database.ready(function: function, limit: limit, now: now).allowedTogether
            for (sequence, invocation) in leased {
                try database.run(
                    "UPDATE invocation SET state = 'running', attempt = ?, epoch = ? WHERE sequence = ?",
                    .integer(Int64(invocation.attempt)), .integer(invocation.lease.epoch), .integer(sequence))
            }
            return leased.map(\.invocation)
        }
    }

    /// Gives running invocations back, as if they had not been leased (the attempt does not count).
    package func giveBack(_ leases: [Lease]) async throws {
        if leases.isEmpty { return }
        try await writer.perform { transaction in
            for lease in leases {
                try transaction.database.run(
                    """
                    UPDATE invocation SET state = 'waiting', attempt = attempt - 1
                    WHERE id = ? AND epoch = ? AND state = 'running'
                    """, .id(lease.invocation), .integer(lease.epoch))
            }
        }
    }

    /// When the next waiting invocation of each function is due; the past means now.
    ///
    /// One that is held up by another of its trigger does not count: it becomes due when that one ends.
    package func nextDue() async throws -> [String: WallTime] {
        try readingSnapshot { database in
            let functions = try database.all("SELECT function FROM queue_count WHERE waiting > 0") { $0.text(0) }
            var due: [String: WallTime] = [:]
            for function in functions { due[function] = try database.nextDue(function: function) }
            return due
        }
    }

    /// Of each function that has any.
    package func queueCounts() async throws -> [String: QueueCounts] {
        let counts = try reading { database in
            try database.all("SELECT function, enqueued, waiting, running, done, dead FROM queue_count") { row in
                var counts = QueueCounts()
                counts.enqueued = Int(row.integer(1))
                counts.waiting = Int(row.integer(2))
                counts.running = Int(row.integer(3))
                counts.done = Int(row.integer(4))
                counts.dead = Int(row.integer(5))
                return (row.text(0), counts)
            }
        }
        return Dictionary(uniqueKeysWithValues: counts)
    }

    /// Removes done invocations that ended before `time`. Returns how many. They stay counted.
    ///
    /// Also forgets instants of timers that lie more than a day before the last one (see `fire`). Works in small steps,
    /// so that others get their turn.
    package func prune(doneBefore time: WallTime) async throws -> Int {
        try await pruneInstants()
        var removed = 0
        while true {
            let step = try await writer.perform { transaction in
                try transaction.database.run(
                    """
                    DELETE FROM invocation WHERE sequence IN (
                        SELECT sequence FROM invocation WHERE state = 'done' AND ended < ? LIMIT \(Self.pruneStep))
                    """, .time(time))
            }
            removed += step
            if step < Self.pruneStep { return removed }
        }
    }

    private static let pruneStep = 500
}

extension Connection {
    /// Whether the event is new.
    func enqueue(_ new: NewInvocation, now: WallTime) throws -> Bool {
        let event = new.event
        return try run(
            """
            INSERT INTO invocation (
                id, function, kind, trigger, source, event, type, subject, time, content_type, extensions, data,
                due, exclusive, blocked, state, enqueued)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                ?14 AND EXISTS (
                    SELECT 1 FROM invocation
                    WHERE ended IS NULL AND trigger = ?4 AND state IN ('waiting', 'running') AND exclusive = 1),
                'waiting', ?15)
            ON CONFLICT DO NOTHING
            """,
            .id(new.id), .text(new.function), .text(new.kind.rawValue), .text(new.trigger), .text(event.source),
            .text(event.id), .text(event.type), .optional(event.subject), .time(event.time),
            .optional(event.dataContentType), .optional(try ExtensionAttributes.encode(event.extensions)),
            .blob(event.data), .time(new.due), .integer(new.exclusive ? 1 : 0), .time(now)) == 1
    }

    /// What may run now, with the attempt and the epoch that it gets by running.
    fileprivate func ready(
        function: String, limit: Int, now: WallTime
    ) throws -> [(sequence: Int64, invocation: LeasedInvocation)] {
        try all(
            """
            SELECT sequence, id, kind, trigger, source, event, type, subject, time, content_type, extensions, data, due,
                exclusive, attempt, epoch, enqueued
            FROM invocation INDEXED BY invocation_ready
            WHERE state = 'waiting' AND blocked = 0 AND function = ? AND due <= ? AND \(Self.isFree)
            ORDER BY due, sequence LIMIT ?
            """, .text(function), .time(now), .integer(Int64(limit))
        ) { (sequence: $0.integer(0), invocation: try $0.leased(by: function)) }
    }

    fileprivate func nextDue(function: String) throws -> WallTime? {
        try first(
            """
            SELECT due FROM invocation INDEXED BY invocation_ready
            WHERE state = 'waiting' AND blocked = 0 AND function = ? AND \(Self.isFree) ORDER BY due LIMIT 1
            """, .text(function)
        ) { $0.time(0) }
    }

    /// The first in line waits for what runs of its trigger beside the line, such as what was enqueued before the
    /// manifest asked for exclusiveness.
    private static let isFree = """
        (exclusive = 0 OR NOT EXISTS (
            SELECT 1 FROM invocation AS other
            WHERE other.ended IS NULL AND other.trigger = invocation.trigger AND other.state = 'running'))
        """
}

extension [(sequence: Int64, invocation: LeasedInvocation)] {
    /// Without exclusive ones that come after another of their trigger.
    fileprivate var allowedTogether: Self {
        var triggers: Set<String> = []
        return filter {
            triggers.insert($0.invocation.invocation.trigger).inserted || !$0.invocation.invocation.exclusive
        }
    }
}

extension Columns {
    /// A row of `ready`.
    fileprivate func leased(by function: String) throws -> LeasedInvocation {
        guard let kind = TriggerKind(rawValue: text(2)) else {
            throw StorageError(.damaged, "invocation \(id(1)) has the unknown kind '\(text(2))'")
        }
        let event = Event(
            id: text(5), source: text(4), type: text(6), subject: optionalText(7), time: time(8),
            dataContentType: optionalText(9), extensions: try ExtensionAttributes.decode(optionalText(10)),
            data: blob(11))
        let invocation = NewInvocation(
            id: id(1), function: function, kind: kind, trigger: text(3), event: event, due: time(12),
            exclusive: integer(13) == 1)
        return LeasedInvocation(
            lease: Lease(invocation: invocation.id, epoch: integer(15) + 1), invocation: invocation,
            attempt: Int(integer(14)) + 1, enqueued: time(16))
    }
}
