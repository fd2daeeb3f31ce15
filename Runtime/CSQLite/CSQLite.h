#include <sqlite3.h>

/// Lets SQLite not count its memory, which takes a lock at each allocation. Of no effect once it is in use.
///
/// `sqlite3_config` takes a variable number of arguments, and Swift cannot call such a function.
static inline void sqlite_config_no_memory_status(void) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
