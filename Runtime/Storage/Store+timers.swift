package import Events

/// One instant of a timer that is to be handled.
package struct TimerFire: Sendable, Hashable {
    package var timer: String
    package var due: WallTime
    /// `nil` for an instant that is skipped.
    package var invocation: NewInvocation?
    /// Whether it is skipped while an earlier invocation of the trigger is waiting or running.
    package var skipIfBusy: Bool

    package init(timer: String, due: WallTime, invocation: NewInvocation?, skipIfBusy: Bool) {
        self.timer = timer
        self.due = due
        self.invocation = invocation
        self.skipIfBusy = skipIfBusy
    }
}

extension Store {
    /// What is known of each timer trigger, by its key.
    package func timers() async throws -> [String: TimerRecord] {
        let timers = try reading { database in
            try database.all("SELECT definition, handled, last_fired, key FROM timer") { ($0.text(3), $0.timer) }
        }
        return Dictionary(uniqueKeysWithValues: timers)
    }

    /// Notes that the timer `key` exists and has been watched since `since`; changes nothing when it is known with the
    /// same `definition`. A different definition starts anew, except that instants that have fired do not fire again.
    package func register(timer key: String, definition: String, since: WallTime) async throws -> TimerRecord {
        try await writer.perform { transaction in
            let database = transaction.connection
            if let known = try database.timer(key), known.definition == definition { return known }
            try database.run(
                """
                INSERT INTO timer (key, definition, handled) VALUES (?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET
                    definition = excluded.definition, handled = excluded.handled, last_fired = NULL
                """, .text(key), .text(definition), .time(since))
            return TimerRecord(definition: definition, handled: since, lastFired: nil)
        }
    }

    /// There are no such timers any more: those that come again under these keys begin anew.
    package func forget(timers keys: [String]) async throws {
        if keys.isEmpty { return }
        try await writer.perform { transaction in
            for key in keys {
                try transaction.connection.run("UPDATE timer SET definition = '' WHERE key = ?", .text(key))
            }
        }
    }

    /// Handles instants in the given order, as one transaction: marks each as handled, and enqueues its invocation unless
    /// it was handled before. Fire those of one timer in ascending order.
    ///
    /// An instant was handled before when it has a row of its own, or when it is not after the timer's `handled`.
    /// The latter holds only while the clock is past `handled`: after it was set back, time passes again over instants
    /// that were handled or skipped, and each is judged by its row alone, so that what has fired does not fire again,
    /// while a clock that was years ahead for a moment does not silence a timer for years. `handled` is always the
    /// instant that was handled last. Rows are kept for a day and an hour; a clock that is set back by more fires again.
    package func fire(_ fires: [TimerFire]) async throws -> [FireResult] {
        if fires.isEmpty { return [] }
        return try await writer.perform { transaction in
            // What follows one that has found no room, such as one that is skipped and needs none, would pass it.
            var full: Set<String> = []
            return try fires.map { fire in
                if full.contains(fire.timer) { return .full }
                let result = try transaction.fire(fire, now: transaction.options.now())
                if result == .full { full.insert(fire.timer) }
                return result
            }
        }
    }

    /// Forgets instants that only a clock set back by more than a day would bring again.
    package func pruneInstants() async throws {
        for (key, timer) in try await timers() {
            let time = timer.handled.advanced(by: .zero - Self.instantsKept)
            let isNeeded = try reading { database in
                try database.exists(
                    "SELECT 1 FROM timer_instant WHERE timer = ? AND due < ? LIMIT 1", .text(key), .time(time))
            }
            guard isNeeded else { continue }
            _ = try await writer.perform { transaction in
                try transaction.connection.run(
                    "DELETE FROM timer_instant WHERE timer = ? AND due < ?", .text(key), .time(time))
            }
        }
    }

    private static let instantsKept = Duration.seconds(25 * 3600)
}

extension WriteTransaction {
    fileprivate func fire(_ fire: TimerFire, now: WallTime) throws -> FireResult {
        let handled = try connection.timer(fire.timer)?.handled
        if let handled, fire.due <= handled, handled <= now { return .duplicate }
        let isSkipped = try fire.invocation.map { try fire.skipIfBusy && database.isBusy($0.trigger) } ?? false
        if let invocation = fire.invocation, !isSkipped {
            do {
                try ledger.checkRoom(for: invocation.event.data.count, in: invocation.function, connection)
            } catch is QueueFull {
                return .full
            }
        }
        let isNew = try connection.run(
            "INSERT INTO timer_instant (timer, due) VALUES (?, ?) ON CONFLICT DO NOTHING", .text(fire.timer),
            .time(fire.due))
        guard isNew == 1 else { return .duplicate }
        let result = isSkipped ? .skippedBusy : try enqueue(fire.invocation, now: now)
        try connection.run(
            """
            INSERT INTO timer (key, definition, handled, last_fired) VALUES (?1, '', ?2, ?3)
            ON CONFLICT (key) DO UPDATE SET handled = ?2, last_fired = coalesce(?3, last_fired)
            """, .text(fire.timer), .time(fire.due), result == .enqueued ? .time(fire.due) : .null)
        return result
    }

    private func enqueue(_ invocation: NewInvocation?, now: WallTime) throws -> FireResult {
        guard let invocation else { return .noted }
        return try insert(QueueRow(invocation), now: now) ? .enqueued : .duplicate
    }
}

extension Connection {
    fileprivate func timer(_ key: String) throws -> TimerRecord? {
        try first("SELECT definition, handled, last_fired FROM timer WHERE key = ?", .text(key)) { $0.timer }
    }

    fileprivate func isBusy(_ trigger: String) throws -> Bool {
        try exists(
            "SELECT 1 FROM invocation WHERE kind = 'timer' AND ended IS NULL AND trigger = ? LIMIT 1", .text(trigger))
    }
}

extension Columns {
    /// A row of definition, handled and last_fired.
    fileprivate var timer: TimerRecord {
        TimerRecord(definition: text(0), handled: time(1), lastFired: optionalTime(2))
    }
}
