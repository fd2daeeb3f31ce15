/// Lets SQLite not count its memory, which takes a lock at each allocation, and keep there what it needs to undo a statement:
/// one that inserts many rows may touch more than 64 KiB of pages, for which SQLite would make a file each time. Of no effect
/// once it is in use.
///
/// `sqlite3_config` takes a variable number of arguments, and Swift cannot call such a function.
void sqlite_config_memory(void);

/// Lets every connection that is opened from now on write what a transaction puts into the WAL in one piece, or a few.
/// SQLite writes each page in two, its head and itself: a transaction of 13 pages takes 26 system calls.
///
/// Returns a code of SQLite's.
int sqlite_write_wal_in_one_piece(void);
