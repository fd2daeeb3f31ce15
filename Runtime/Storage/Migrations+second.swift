extension Migrations {
    /// The queue of version 2.
    ///
    /// `invocation`: `sequence` is the order of arrival. Those with the same `line` run one after the other in that order;
    /// `blocked` is 1 for one that has another before it in its line, so that a long line costs a lease nothing. `urgency`
    /// is that of RFC 9218: 0 is the first. `request` is the head of an HTTP request as JSON; its body is in `data`, as
    /// that of an event. `repeatable` is 1 for an event whose id was not made by this host, and which may come again.
    /// `since` is where the time for retries begins. `data` and `request` are dropped when it is done.
    ///
    /// An insert costs an entry in each index that it meets, so there are few: by id, by what is to run next, and the
    /// others only for rows that need them.
    ///
    /// `queue_count`: the writer changes it once for each function and transaction. `waiting`, `running` and `dead` are
    /// rows in that state, `done` counts also those that are deleted, and `kept` those that are not. `bytes` are of what
    /// waits and runs, `dead_bytes` of what is dead, `result_bytes` of the results.
    static let second = """
        CREATE TABLE invocation_2 (
            sequence INTEGER PRIMARY KEY,
            id BLOB NOT NULL,
            function TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'dead')),
            blocked INTEGER NOT NULL CHECK (blocked = 0 OR (blocked = 1 AND line IS NOT NULL)),
            urgency INTEGER NOT NULL DEFAULT 3 CHECK (urgency BETWEEN 0 AND 7),
            due INTEGER NOT NULL,
            attempt INTEGER NOT NULL DEFAULT 0,
            epoch INTEGER NOT NULL DEFAULT 0,
            line TEXT,
            kind TEXT NOT NULL,
            trigger TEXT NOT NULL,
            repeatable INTEGER NOT NULL CHECK (repeatable IN (0, 1)),
            source TEXT NOT NULL,
            event TEXT NOT NULL,
            type TEXT NOT NULL,
            subject TEXT,
            time INTEGER NOT NULL,
            content_type TEXT,
            extensions TEXT,
            enqueued INTEGER NOT NULL,
            since INTEGER NOT NULL,
            ended INTEGER CHECK ((ended IS NULL) = (state IN ('waiting', 'running'))),
            outcome TEXT,
            reason TEXT,
            request TEXT,
            data BLOB
        ) STRICT;
        INSERT INTO invocation_2
            SELECT sequence, id, function, state, blocked, 3, due, attempt, epoch, iif(exclusive = 1, trigger, NULL), kind,
                trigger, 1, source, event, type, subject, time, content_type, extensions, enqueued, enqueued, ended,
                outcome, reason, NULL, data
            FROM invocation ORDER BY sequence;
        DROP TABLE invocation;
        ALTER TABLE invocation_2 RENAME TO invocation;
        CREATE UNIQUE INDEX invocation_id ON invocation (id);
        CREATE UNIQUE INDEX invocation_event ON invocation (function, source, event) WHERE repeatable = 1;
        CREATE INDEX invocation_waiting ON invocation (function, blocked, urgency, due) WHERE state = 'waiting';
        CREATE INDEX invocation_running ON invocation (function) WHERE state = 'running';
        CREATE INDEX invocation_ended ON invocation (function, state, ended) WHERE ended IS NOT NULL;
        CREATE INDEX invocation_line ON invocation (line) WHERE line IS NOT NULL AND ended IS NULL;
        CREATE INDEX invocation_timer ON invocation (trigger, state) WHERE kind = 'timer' AND ended IS NULL;

        CREATE TABLE result (
            sequence INTEGER PRIMARY KEY,
            function TEXT NOT NULL,
            status INTEGER,
            headers TEXT,
            body BLOB NOT NULL,
            cut INTEGER NOT NULL CHECK (cut IN (0, 1)),
            expires INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX result_expires ON result (function, expires);

        CREATE TABLE queue_count_2 (
            function TEXT PRIMARY KEY,
            enqueued INTEGER NOT NULL,
            waiting INTEGER NOT NULL CHECK (waiting >= 0),
            running INTEGER NOT NULL CHECK (running >= 0),
            done INTEGER NOT NULL CHECK (done >= kept),
            dead INTEGER NOT NULL CHECK (dead >= 0),
            bytes INTEGER NOT NULL CHECK (bytes >= 0),
            kept INTEGER NOT NULL CHECK (kept >= 0),
            dead_bytes INTEGER NOT NULL CHECK (dead_bytes >= 0),
            result_bytes INTEGER NOT NULL CHECK (result_bytes >= 0),
            CHECK (enqueued = waiting + running + done + dead)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO queue_count_2
            SELECT function, enqueued, waiting, running, done, dead,
                (SELECT coalesce(sum(length(data)), 0) FROM invocation
                    WHERE invocation.function = queue_count.function AND ended IS NULL),
                (SELECT count(*) FROM invocation
                    WHERE invocation.function = queue_count.function AND state = 'done' AND ended IS NOT NULL),
                (SELECT coalesce(sum(length(data)), 0) FROM invocation
                    WHERE invocation.function = queue_count.function AND state = 'dead' AND ended IS NOT NULL),
                0
            FROM queue_count;
        DROP TABLE queue_count;
        ALTER TABLE queue_count_2 RENAME TO queue_count;
        """
}
