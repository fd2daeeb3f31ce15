// SQLite itself: reads and writes keys in a loop, with the settings and the table of Apus, and commits every so many.
//
// Usage: commits FILE SECONDS KEYS_A_COMMIT
// Prints how many keys a second it wrote, each in the database and synced. Exits with 1 on any error.
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static sqlite3 *database;

static void check(int result, int expected) {
    if (result == expected) return;
    fprintf(stderr, "commits: %s\n", sqlite3_errmsg(database));
    exit(1);
}

static void run(const char *statement) { check(sqlite3_exec(database, statement, NULL, NULL, NULL), SQLITE_OK); }

static sqlite3_stmt *prepared(const char *text) {
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v3(database, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), SQLITE_OK);
    return statement;
}

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    if (count != 4) return 64;
    const double seconds = atof(arguments[2]);
    const int keys = atoi(arguments[3]);
    if (keys < 1) return 64;
    check(sqlite3_open(arguments[1], &database), SQLITE_OK);
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("PRAGMA wal_autocheckpoint = 4000");
    run("PRAGMA journal_size_limit = 67108864");
    run("CREATE TABLE IF NOT EXISTS state (namespace TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "
        "version INTEGER NOT NULL, PRIMARY KEY (namespace, key)) STRICT, WITHOUT ROWID");
    sqlite3_stmt *read = prepared("SELECT value, version FROM state WHERE namespace = 'hello' AND key = ?1");
    sqlite3_stmt *write = prepared(
        "INSERT INTO state VALUES ('hello', ?1, ?2, ?3) "
        "ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, version = excluded.version");

    const double begin = seconds_now();
    int64_t done = 0;
    while (seconds_now() - begin < seconds) {
        run("BEGIN IMMEDIATE");
        for (int index = 0; index < keys; index++) {
            char key[32], value[32];
            const int key_size = snprintf(key, sizeof key, "%d", (int)(done % 100000));
            check(sqlite3_bind_blob(read, 1, key, key_size, SQLITE_STATIC), SQLITE_OK);
            const int found = sqlite3_step(read);
            if (found != SQLITE_ROW) check(found, SQLITE_DONE);
            const long sum = found == SQLITE_ROW ? atol((const char *)sqlite3_column_text(read, 0)) + 1 : 1;
            sqlite3_reset(read);
            const int value_size = snprintf(value, sizeof value, "%ld", sum);
            check(sqlite3_bind_blob(write, 1, key, key_size, SQLITE_STATIC), SQLITE_OK);
            check(sqlite3_bind_blob(write, 2, value, value_size, SQLITE_STATIC), SQLITE_OK);
            check(sqlite3_bind_int64(write, 3, ++done), SQLITE_OK);
            check(sqlite3_step(write), SQLITE_DONE);
            sqlite3_reset(write);
        }
        run("COMMIT");
    }
    printf("%.1f\n", (double)done / (seconds_now() - begin));
    sqlite3_finalize(read);
    sqlite3_finalize(write);
    return sqlite3_close(database) == SQLITE_OK ? 0 : 1;
}
