extension Migrations {
    /// A response is kept until `expires`. `key` is the client's; `redirect` stands in place of a response.
    static let idempotency = """
        CREATE TABLE idempotent_response (
            function TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint BLOB NOT NULL,
            invocation BLOB NOT NULL,
            status INTEGER NOT NULL,
            headers TEXT NOT NULL,
            body BLOB NOT NULL,
            redirect TEXT,
            expires INTEGER NOT NULL,
            PRIMARY KEY (function, key)
        ) STRICT;
        CREATE INDEX idempotent_response_expires ON idempotent_response (expires);
        """
}
