/// Counts what a process asks of libc and SQLite.
///
/// The library is put before libc with LD_PRELOAD; `APUS_COUNTS` names a file, which it maps and counts in: one
/// `struct call_counts`. It has no functions of its own to call. Programs that do not call libc dynamically count nothing.
#ifndef CALL_COUNTER_H
#define CALL_COUNTER_H

#include <stdint.h>

/// `CallCounts` in Tests/Counts reads it in this order.
struct call_counts {
    /// malloc, calloc, realloc and their aligned kin.
    uint64_t allocations;
    /// Runs of a prepared statement of SQLite, BEGIN and COMMIT among them.
    uint64_t statements;
    /// fsync and fdatasync.
    uint64_t syncs;
    /// pwrite, by which SQLite writes its files.
    uint64_t writes;
};

#endif
