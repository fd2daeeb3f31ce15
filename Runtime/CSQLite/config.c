#include "CSQLite.h"

#include <sqlite3.h>

void sqlite_config_no_memory_status(void) { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
