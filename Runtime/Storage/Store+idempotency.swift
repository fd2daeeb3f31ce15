package import Events

extension Store {
    /// What answers a request of `function` with `key`; `nil` when there is nothing, or it has expired.
    package func idempotentResponse(
        function: String, key: String, now: WallTime
    ) async throws -> IdempotentResponse? {
        try reading { database in
            try database.first(
                """
                SELECT fingerprint, invocation, status, headers, body, redirect, expires FROM idempotent_response
                WHERE function = ? AND key = ? AND expires > ?
                """, .text(function), .text(key), .time(now)
            ) { try $0.idempotentResponse(function: function, key: key) }
        }
    }

    /// Removes responses that have expired. Returns how many. Works in small steps, so that others get their turn.
    package func pruneIdempotentResponses(now: WallTime) async throws -> Int {
        var removed = 0
        while true {
            let step = try await writer.perform { transaction in
                try transaction.connection.run(
                    """
                    DELETE FROM idempotent_response WHERE rowid IN (
                        SELECT rowid FROM idempotent_response WHERE expires <= ? LIMIT \(Self.responseStep))
                    """, .time(now))
            }
            removed += step
            if step < Self.responseStep { return removed }
        }
    }

    /// Fewer than of other rows, since each may have a long body.
    private static let responseStep = 100
}

extension Connection {
    /// Keeps the response, unless one that has not expired is kept under its key: `false`.
    func keep(_ response: IdempotentResponse, now: WallTime) throws -> Bool {
        try run(
            """
            INSERT INTO idempotent_response (
                function, key, fingerprint, invocation, status, headers, body, redirect, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (function, key) DO UPDATE SET
                fingerprint = excluded.fingerprint, invocation = excluded.invocation, status = excluded.status,
                headers = excluded.headers, body = excluded.body, redirect = excluded.redirect,
                expires = excluded.expires
            WHERE expires <= ?10
            """, .text(response.function), .text(response.key), .blob(response.fingerprint), .id(response.invocation),
            .integer(Int64(response.status)), .utf8(HeaderColumn.encode(response.headers)), .blob(response.body),
            .optional(response.redirect), .time(response.expires), .time(now)) == 1
    }
}

extension IdempotentResponse {
    /// About how many bytes it writes.
    var size: Int { body.count + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count } }
}

extension Columns {
    fileprivate func idempotentResponse(function: String, key: String) throws -> IdempotentResponse {
        IdempotentResponse(
            function: function, key: key, fingerprint: blob(0), invocation: id(1), status: Int(integer(2)),
            headers: try HeaderColumn.decode(blob(3)), body: blob(4), redirect: optionalText(5), expires: time(6))
    }
}
