extension Migrations {
    /// The same checks of a row's state, in words that cost nothing: SQLite puts a list of more than two values into a
    /// table of its own, which it makes and drops again for each row that comes or moves. That took a third of the time
    /// of an insert. No row has to change, so that only the text of the table does
    /// (https://www.sqlite.org/lang_altertable.html#otheralter).
    static let states = """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(replace(sql,
                'state IN (''waiting'', ''running'', ''done'', ''dead'')',
                'state = ''waiting'' OR state = ''running'' OR state = ''done'' OR state = ''dead'''),
                'state IN (''waiting'', ''running'')', 'state = ''waiting'' OR state = ''running''')
            WHERE type = 'table' AND name = 'invocation';
        PRAGMA writable_schema = RESET;
        """
}
