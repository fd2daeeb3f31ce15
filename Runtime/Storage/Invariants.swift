/// What holds in every database of this version at every instant, as queries for what breaks it.
///
/// A change of the schema is to be met here: each query gives a row for each violation, with the id of the invocation or
/// NULL, and words that go on after it.
struct Invariant {
    var sql: String

    static let all = states + lines + counts + others

    // MARK: An invocation is in exactly one state

    private static let states = [
        Invariant(
            sql: """
                SELECT id, 'has the state ' || quote(state) || ', which there is not' FROM invocation
                WHERE state NOT IN ('waiting', 'running', 'done', 'dead')
                """),
        Invariant(
            sql: """
                SELECT id, 'is ' || state || iif(ended IS NULL, ' and has no end', ' and has ended') FROM invocation
                WHERE (ended IS NULL) <> (state IN ('waiting', 'running'))
                """),
        Invariant(
            sql: "SELECT id, 'is ' || state || ' without an outcome' FROM invocation "
                + "WHERE state IN ('done', 'dead') AND outcome IS NULL"),
        Invariant(
            sql: """
                SELECT id, 'runs without a lease: attempt ' || attempt || ', epoch ' || epoch FROM invocation
                WHERE state = 'running' AND (attempt < 1 OR epoch < 1)
                """),
        Invariant(
            sql: "SELECT id, 'is done and still has its data' FROM invocation "
                + "WHERE state = 'done' AND (data IS NOT NULL OR request IS NOT NULL)"),
        Invariant(
            sql: """
                SELECT NULL, 'the event ' || quote(event) || ' of ' || quote(source) || ' is in the queue '
                    || count(*) || ' times for ' || quote(function)
                FROM invocation WHERE repeatable = 1 GROUP BY function, source, event HAVING count(*) > 1
                """),
    ]

    // MARK: A line has exactly one at its front

    private static let lines = [
        Invariant(
            sql: "SELECT id, 'runs though it is blocked' FROM invocation WHERE state = 'running' AND blocked = 1"),
        Invariant(
            sql: "SELECT id, 'is blocked and in no line' FROM invocation WHERE blocked = 1 AND line IS NULL"),
        Invariant(
            sql: """
                SELECT NULL, 'in the line ' || quote(line) || ', ' || sum(blocked = 0) || ' of ' || count(*)
                    || ' are not blocked, instead of one'
                FROM invocation WHERE line IS NOT NULL AND ended IS NULL GROUP BY line HAVING sum(blocked = 0) <> 1
                """),
    ]

    // MARK: enqueued = waiting + running + done + dead, and each is as many as there are

    private static let counts =
        [
            Invariant(
                sql: """
                    SELECT NULL, 'of ' || quote(function) || ', ' || enqueued || ' were enqueued, but waiting, running, '
                        || 'done and dead are ' || (waiting + running + done + dead)
                    FROM queue_count WHERE enqueued <> waiting + running + done + dead
                    """),
            Invariant(
                sql: """
                    SELECT NULL, 'of ' || quote(function) || ', ' || kept || ' that are done are kept, but only '
                        || done || ' were done'
                    FROM queue_count WHERE done < kept
                    """),
        ] + [
            counted("waiting", "waiting", "sum(state = 'waiting')"),
            counted("running", "running", "sum(state = 'running')"),
            counted("dead", "dead", "sum(state = 'dead')"),
            counted("kept", "done and kept", "sum(state = 'done')"),
            counted("bytes", "bytes in what waits and runs", "sum(iif(ended IS NULL, \(size), 0))"),
            counted("dead_bytes", "bytes in dead ones", "sum(iif(state = 'dead', \(size), 0))"),
            counted("result_bytes", "bytes in results", "sum(length(body))", of: "result"),
        ]

    private static let size = "coalesce(length(data), 0) + coalesce(length(CAST(request AS BLOB)), 0)"

    private static func counted(
        _ column: String, _ words: String, _ sum: String, of table: String = "invocation"
    ) -> Invariant {
        Invariant(
            sql: """
                SELECT NULL, quote(names.function) || ' has ' || coalesce(found.n, 0) || ' \(words), and its count says '
                    || coalesce(counts.\(column), 0)
                FROM (SELECT function FROM queue_count UNION SELECT function FROM \(table)) AS names
                LEFT JOIN (SELECT function, \(sum) AS n FROM \(table) GROUP BY function) AS found
                    ON found.function = names.function
                LEFT JOIN queue_count AS counts ON counts.function = names.function
                WHERE coalesce(found.n, 0) <> coalesce(counts.\(column), 0)
                """)
    }

    // MARK: The rest

    private static let others = [
        Invariant(
            sql: """
                SELECT NULL, 'the result of the invocation number ' || sequence || ' belongs to none that is done'
                FROM result WHERE NOT EXISTS (
                    SELECT 1 FROM invocation WHERE invocation.sequence = result.sequence AND state = 'done')
                """),
        Invariant(
            sql: """
                SELECT NULL, 'the timer ' || quote(trigger) || ' has fired ' || count(*) || ' times for ' || event
                FROM invocation WHERE kind = 'timer' AND repeatable = 1
                GROUP BY function, trigger, source, event HAVING count(*) > 1
                """),
        // Instants are kept for 25 hours; see `Store.fire`.
        Invariant(
            sql: """
                SELECT id, 'is of the timer ' || quote(trigger) || ', which has not noted that it has fired for ' || event
                FROM invocation JOIN timer ON timer.key = invocation.trigger
                WHERE kind = 'timer' AND time BETWEEN handled - 86400000 AND handled AND NOT EXISTS (
                    SELECT 1 FROM timer_instant WHERE timer = trigger AND timer_instant.due = time)
                """),
        Invariant(
            sql: """
                SELECT NULL, 'the key ' || quote(CAST(key AS TEXT)) || ' in ' || quote(namespace) || ' has the version '
                    || version || ', and the last that may have been given is ' || counter.value
                FROM state, counter WHERE name = 'version' AND NOT version BETWEEN 1 AND counter.value
                """),
    ]
}
