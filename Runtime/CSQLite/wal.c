// A file system for SQLite (https://www.sqlite.org/vfs.html) that is the system's own, but for writes to the WAL: those
// that are appended one after the other are gathered, and go to the file at the end of a transaction.
//
// SQLite tells other connections of a transaction after it has written its last page, and in `synchronous=FULL` after it
// has synced the WAL. Until then nobody else reads what it has appended. So it is in the file
//
// - after the page of a frame that ends a transaction,
// - before the file is read, synced, cut off, or asked for its size by whoever writes it.
//
// What is written elsewhere than at the end goes to the file at once, after what was gathered.
//
// A transaction must not begin to write before it commits (`PRAGMA cache_spill = OFF`): nothing says here that one is undone,
// and what it has left would go to the file with the next one.

#include "CSQLite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

// As https://www.sqlite.org/fileformat2.html#the_write_ahead_log says.
enum { FRAME_HEAD = 24, SIZE_AFTER_COMMIT = 4, SIZE_BYTES = 4 };

// SQLite's own writing takes less than 128 KiB at a time.
enum { MOST_GATHERED = 120 << 10 };

struct wal_file {
    sqlite3_file base;
    // Bytes that are to be written, `count` of them at `start`; allocated for who writes.
    unsigned char *gathered;
    sqlite3_int64 start;
    int count;
    // A head was written of a frame that ends a transaction; its page is next.
    int commits;
    // Where the next one is appended.
    sqlite3_int64 end;
};

static sqlite3_file *inner(sqlite3_file *file) { return (sqlite3_file *)((struct wal_file *)file + 1); }

static int write_inner(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 start) {
    return inner(file)->pMethods->xWrite(inner(file), bytes, count, start);
}

// What cannot be written is forgotten: the transaction that it is of fails, and the next one is written in its place.
static int write_gathered(sqlite3_file *file) {
    struct wal_file *wal = (struct wal_file *)file;
    if (wal->count == 0) return SQLITE_OK;
    int code = write_inner(file, wal->gathered, wal->count, wal->start);
    if (code != SQLITE_OK) wal->end = wal->start;
    wal->count = 0;
    return code;
}

static int ends_transaction(const unsigned char *bytes, int count) {
    static const unsigned char none[SIZE_BYTES];
    return count == FRAME_HEAD && memcmp(bytes + SIZE_AFTER_COMMIT, none, sizeof none) != 0;
}

static void gather(struct wal_file *wal, const void *bytes, int count, sqlite3_int64 start) {
    if (wal->count == 0) wal->start = start;
    memcpy(wal->gathered + wal->count, bytes, (size_t)count);
    wal->count += count;
}

static int wal_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 start) {
    struct wal_file *wal = (struct wal_file *)file;
    int is_next = start == wal->end && wal->count + count <= MOST_GATHERED;
    int ends = wal->commits;
    wal->commits = 0;
    int code = is_next ? SQLITE_OK : write_gathered(file);
    if (code != SQLITE_OK) return code;
    // It begins anew.
    if (start == 0) wal->end = 0;
    if (wal->gathered == NULL) wal->gathered = malloc(MOST_GATHERED);
    if (start < wal->end || count > MOST_GATHERED || wal->gathered == NULL) {
        code = write_inner(file, bytes, count, start);
        if (code != SQLITE_OK) return code;
    } else {
        gather(wal, bytes, count, start);
    }
    if (wal->end < start + count) wal->end = start + count;
    wal->commits = ends_transaction(bytes, count);
    return ends ? write_gathered(file) : SQLITE_OK;
}

// What is gathered now was never committed.
static int wal_close(sqlite3_file *file) {
    free(((struct wal_file *)file)->gathered);
    return inner(file)->pMethods->xClose(inner(file));
}

static int wal_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 start) {
    int code = write_gathered(file);
    return code == SQLITE_OK ? inner(file)->pMethods->xRead(inner(file), bytes, count, start) : code;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int code = write_gathered(file);
    return code == SQLITE_OK ? inner(file)->pMethods->xTruncate(inner(file), size) : code;
}

static int wal_sync(sqlite3_file *file, int flags) {
    int code = write_gathered(file);
    return code == SQLITE_OK ? inner(file)->pMethods->xSync(inner(file), flags) : code;
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *size) {
    int code = write_gathered(file);
    return code == SQLITE_OK ? inner(file)->pMethods->xFileSize(inner(file), size) : code;
}

static int wal_lock(sqlite3_file *file, int lock) { return inner(file)->pMethods->xLock(inner(file), lock); }

static int wal_unlock(sqlite3_file *file, int lock) { return inner(file)->pMethods->xUnlock(inner(file), lock); }

static int wal_check_lock(sqlite3_file *file, int *is_locked) {
    return inner(file)->pMethods->xCheckReservedLock(inner(file), is_locked);
}

static int wal_control(sqlite3_file *file, int operation, void *argument) {
    return inner(file)->pMethods->xFileControl(inner(file), operation, argument);
}

static int wal_sector_size(sqlite3_file *file) { return inner(file)->pMethods->xSectorSize(inner(file)); }

static int wal_characteristics(sqlite3_file *file) {
    return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_lock,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_characteristics,
};

static sqlite3_vfs *system_files;
static sqlite3_vfs files;

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *opened) {
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL)) return system_files->xOpen(system_files, name, file, flags, opened);
    memset(file, 0, sizeof(struct wal_file));
    int code = system_files->xOpen(system_files, name, inner(file), flags, opened);
    // SQLite closes what has methods, also when it could not be opened.
    if (inner(file)->pMethods != NULL) file->pMethods = &methods;
    return code;
}

int sqlite_write_wal_in_one_piece(void) {
    // Once more, it would find itself.
    if (system_files != NULL) return SQLITE_OK;
    system_files = sqlite3_vfs_find(NULL);
    if (system_files == NULL) return SQLITE_ERROR;
    files = *system_files;
    files.zName = "apus";
    files.pNext = NULL;
    files.szOsFile += (int)sizeof(struct wal_file);
    files.xOpen = open_file;
    return sqlite3_vfs_register(&files, 1);
}
