import Events

extension Connection {
    /// Whether the invocation still runs for the holder of `lease`.
    func holds(_ lease: Lease) throws -> Bool {
        try exists(
            "SELECT 1 FROM invocation WHERE id = ? AND epoch = ? AND state = 'running'", .id(lease.invocation),
            .integer(lease.epoch))
    }

    /// Ends the attempt of an invocation that `holds`.
    func settle(_ lease: Lease, as settlement: Settlement) throws {
        switch settlement {
        case .done:
            try run(
                """
                UPDATE invocation SET state = 'done', ended = ?, outcome = ?, reason = NULL, data = NULL WHERE id = ?
                """, .time(.now()), .text(Outcome.succeeded.rawValue), .id(lease.invocation))
            try admitNext(after: lease.invocation)
        case .retry(let due, let outcome, let reason):
            try run(
                "UPDATE invocation SET state = 'waiting', due = ?, outcome = ?, reason = ? WHERE id = ?",
                .time(due), .text(outcome.rawValue), .text(reason), .id(lease.invocation))
        case .postponed(let due, let outcome, let reason):
            try run(
                """
                UPDATE invocation SET state = 'waiting', attempt = attempt - 1, due = ?, outcome = ?, reason = ?
                WHERE id = ?
                """, .time(due), .text(outcome.rawValue), .text(reason), .id(lease.invocation))
        case .dead(let outcome, let reason):
            try run(
                "UPDATE invocation SET state = 'dead', ended = ?, outcome = ?, reason = ? WHERE id = ?",
                .time(.now()), .text(outcome.rawValue), .text(reason), .id(lease.invocation))
            try admitNext(after: lease.invocation)
        }
    }

    /// Lets the next exclusive invocation of the trigger to the front when the one that ended was at the front.
    private func admitNext(after id: InvocationID) throws {
        let trigger = try first("SELECT trigger FROM invocation WHERE id = ? AND exclusive = 1", .id(id)) { $0.text(0) }
        guard let trigger else { return }
        try run(
            """
            UPDATE invocation SET blocked = 0 WHERE sequence = (
                SELECT sequence FROM invocation
                WHERE ended IS NULL AND trigger = ? AND state = 'waiting' AND exclusive = 1 ORDER BY sequence LIMIT 1)
            """, .text(trigger))
    }
}
