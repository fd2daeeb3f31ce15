package import GRDB

/// The schema, version by version. A migration that was released is never changed; a new one is appended.
package enum Migrations {
    /// "Apus" in ASCII: tells `file(1)`, and the host, whose database this is.
    static let applicationID: Int64 = 0x4170_7573

    static var latest: Int64 { Int64(all.count) }

    private static let all: [(name: String, sql: String)] = [
        ("v1", first), ("v2", second), ("v3", idempotency), ("v4", states),
    ]

    package static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (index, migration) in all.enumerated() {
            migrator.registerMigration(migration.name) { database in
                try database.execute(sql: migration.sql)
                try database.execute(
                    sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(index + 1)")
            }
        }
        return migrator
    }
}

extension Migrations {
    /// Times are milliseconds since 1970. State keys are blobs, because they are compared byte by byte.
    ///
    /// `invocation`: `sequence` is the order of arrival. `blocked` is 1 for an exclusive invocation behind another one of
    /// its trigger, so that a long line costs a lease nothing. `data` is dropped when it is done. The counts follow from
    /// triggers in the same transaction, whatever changes a row; deleting one leaves them.
    private static let first = """
        CREATE TABLE counter (
            name TEXT PRIMARY KEY,
            value INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO counter VALUES ('version', 0);

        CREATE TABLE state (
            namespace TEXT NOT NULL,
            key BLOB NOT NULL,
            value BLOB NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (namespace, key)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE invocation (
            sequence INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE,
            function TEXT NOT NULL,
            kind TEXT NOT NULL,
            trigger TEXT NOT NULL,
            source TEXT NOT NULL,
            event TEXT NOT NULL,
            type TEXT NOT NULL,
            subject TEXT,
            time INTEGER NOT NULL,
            content_type TEXT,
            extensions TEXT,
            data BLOB,
            due INTEGER NOT NULL,
            exclusive INTEGER NOT NULL CHECK (exclusive IN (0, 1)),
            blocked INTEGER NOT NULL CHECK (blocked IN (0, exclusive)),
            state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'dead')),
            attempt INTEGER NOT NULL DEFAULT 0,
            epoch INTEGER NOT NULL DEFAULT 0,
            enqueued INTEGER NOT NULL,
            ended INTEGER CHECK ((ended IS NULL) = (state IN ('waiting', 'running'))),
            outcome TEXT,
            reason TEXT,
            UNIQUE (function, source, event)
        ) STRICT;
        CREATE INDEX invocation_by_state ON invocation (function, state);
        CREATE INDEX invocation_ready ON invocation (function, due) WHERE state = 'waiting' AND blocked = 0;
        CREATE INDEX invocation_open ON invocation (trigger, state, exclusive) WHERE ended IS NULL;
        CREATE INDEX invocation_done ON invocation (ended) WHERE state = 'done';

        CREATE TABLE queue_count (
            function TEXT PRIMARY KEY,
            enqueued INTEGER NOT NULL DEFAULT 0,
            waiting INTEGER NOT NULL DEFAULT 0,
            running INTEGER NOT NULL DEFAULT 0,
            done INTEGER NOT NULL DEFAULT 0,
            dead INTEGER NOT NULL DEFAULT 0,
            CHECK (enqueued = waiting + running + done + dead)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER invocation_enqueued AFTER INSERT ON invocation BEGIN
            INSERT INTO queue_count (function, enqueued, waiting) VALUES (NEW.function, 1, 1)
                ON CONFLICT (function) DO UPDATE SET enqueued = enqueued + 1, waiting = waiting + 1;
        END;
        CREATE TRIGGER invocation_moved AFTER UPDATE OF state ON invocation WHEN OLD.state <> NEW.state BEGIN
            UPDATE queue_count SET
                waiting = waiting + (NEW.state = 'waiting') - (OLD.state = 'waiting'),
                running = running + (NEW.state = 'running') - (OLD.state = 'running'),
                done = done + (NEW.state = 'done') - (OLD.state = 'done'),
                dead = dead + (NEW.state = 'dead') - (OLD.state = 'dead')
            WHERE function = NEW.function;
        END;

        CREATE TABLE timer (
            key TEXT PRIMARY KEY,
            definition TEXT NOT NULL,
            handled INTEGER NOT NULL,
            last_fired INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE timer_instant (
            timer TEXT NOT NULL,
            due INTEGER NOT NULL,
            PRIMARY KEY (timer, due)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE file_trigger (
            key TEXT PRIMARY KEY
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE file (
            trigger TEXT NOT NULL,
            path TEXT NOT NULL,
            size INTEGER NOT NULL,
            modified INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            PRIMARY KEY (trigger, path)
        ) STRICT, WITHOUT ROWID;
        """
}
