#include "CSQLite.h"

#include <sqlite3.h>

void sqlite_config_memory(void) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
}
