/// The knobs of the fault injector: a library that stands between a process and its kernel, to show what becomes of the
/// guarantees of the process when the disk fails, when it is killed, and when the power is cut.
///
/// It is `libFaultInjector.so`, beside the test products, and is put before libc with the environment of the process:
///
///     LD_PRELOAD            the path of the library
///     APUS_FAULTS_FOLDER    faults of files concern those below this folder (an absolute path without links)
///     APUS_FAULTS_CONTROL   a file with one `struct fault_control`, which is mapped shared: whoever writes to it turns
///                           the knobs of the running process; all zero but `magic` is harmless
///     APUS_FAULTS_UNDO      for power cuts: the undo log (FaultUndo below), which is appended to
///
/// Without the first two variables, or in a program that does not call libc dynamically, nothing happens. `Faults` in
/// Tests/Support does all that in Swift, and `PowerCut` there rolls back what a power cut would have lost.
///
/// Covered: open, openat, creat (and their 64-bit twins), write, writev, pwrite, pwritev, ftruncate, fsync, fdatasync,
/// rename, renameat, unlink, unlinkat, remove, posix_fallocate, fallocate, send, sendto, sendmsg. Not covered: writes through
/// mmap (SQLite writes only its -shm file so), sendfile, copy_file_range, io_uring.
#ifndef FAULT_CONTROL_H
#define FAULT_CONTROL_H

#include <stdint.h>

#define FAULT_CONTROL_MAGIC 0x41707573466C7431ULL

/// Which file a call concerns, by its name.
enum fault_file {
    /// `*.db`
    FAULT_FILE_DATABASE = 1,
    /// `*-wal` and `*-journal`
    FAULT_FILE_WAL = 2,
    /// `*-shm`
    FAULT_FILE_SHARED = 4,
    /// Any other, and folders.
    FAULT_FILE_OTHER = 8,
};

/// Calls that fail. The members are read in each call; write `error` last.
struct fault_rule {
    /// The errno; 0: none fails. Becomes 0 when `times` have failed.
    uint64_t error;
    /// So many calls pass before the first that fails; counts down.
    uint64_t skip;
    /// So many fail; counts down. 0: all, until `error` is 0.
    uint64_t times;
    /// An OR of fault_file; 0: all.
    uint64_t files;
};

/// Which calls count for `kill_in` and `calls`.
enum fault_call {
    /// write, writev, pwrite, pwritev, fallocate of a file below the folder
    FAULT_CALL_WRITE = 1,
    /// fsync, fdatasync of such a file or folder
    FAULT_CALL_SYNC = 2,
    /// ftruncate
    FAULT_CALL_TRUNCATE = 4,
    /// rename, unlink, and open that creates
    FAULT_CALL_CHANGE = 8,
    /// write, writev, send, sendto, sendmsg to any socket
    FAULT_CALL_SEND = 16,
};

/// When the process is killed, beside the call that counts.
enum fault_moment {
    FAULT_BEFORE = 0,
    FAULT_AFTER = 1,
    /// When half the bytes of a write are written; before any other call.
    FAULT_AMID = 2,
};

struct fault_control {
    /// FAULT_CONTROL_MAGIC, or else nothing happens.
    uint64_t magic;

    /// Writing, truncating and allocating.
    struct fault_rule write;
    /// fsync and fdatasync.
    struct fault_rule sync;
    /// Opening for writing.
    struct fault_rule open;
    /// rename and unlink.
    struct fault_rule change;

    /// 1: files can grow by `space_left` bytes together; what goes past it is cut short, then fails with ENOSPC.
    /// Overwriting stays possible, and what is truncated or removed gives nothing back.
    uint64_t space_limited;
    /// Counts down.
    uint64_t space_left;

    /// An OR of fault_call.
    uint64_t kill_calls;
    /// SIGKILL to the process itself at the so many-th of these calls from now on; counts down; 0: never.
    uint64_t kill_in;
    /// A fault_moment.
    uint64_t kill_when;

    /// 1: fsync and fdatasync below the folder return 0 and make nothing durable.
    uint64_t sync_skipped;
    /// Each fsync below the folder takes longer by a random time of at most so many microseconds.
    uint64_t sync_delay;

    /// 1: the undo log is kept. 2: it holds also what was written, so that a cut may lose some of it and keep the rest.
    /// Read once, when the process starts. Files below a folder `logs` and `*-shm` are not in it.
    uint64_t undo;

    /// Calls of all kinds of fault_call, by the number of their bit. Counted by the library.
    uint64_t calls[5];
    /// Calls that were made to fail. Counted by the library.
    uint64_t failed;
};

/// The undo log: records one after the other, each a `struct fault_undo` with `path`, `before` and `after` bytes behind
/// it. Each is written before what it tells of is done, except where said otherwise.
enum fault_undo_kind {
    /// A process began to write the log; `file` has new meanings.
    FAULT_UNDO_BEGIN = 0,
    /// `file` stands for the path that follows.
    FAULT_UNDO_FILE = 1,
    /// The file changes from `offset` on: what was there follows. Its size was `size`. (Truncation is a change too.)
    FAULT_UNDO_WRITE = 2,
    /// What the change with the number `sequence` has written follows. Written after it.
    FAULT_UNDO_WRITTEN = 3,
    /// The changes of the file up to `sequence` are durable, and its name, or for a folder the names in it. Written
    /// after the sync.
    FAULT_UNDO_SYNCED = 4,
    /// A sync of the file failed: its changes up to `sequence` that are not durable never will be by another sync,
    /// unless they are written again. Written after it.
    FAULT_UNDO_LOST = 5,
    /// The file was made. Written after it.
    FAULT_UNDO_CREATED = 6,
    /// The file is removed; the path that follows is a link to it, or empty.
    FAULT_UNDO_REMOVED = 7,
    /// The file gets the path that follows.
    FAULT_UNDO_RENAMED = 8,
};

struct fault_undo {
    uint64_t kind;
    uint64_t file;
    uint64_t sequence;
    uint64_t offset;
    uint64_t size;
    /// Bytes that a change is about to write, or to cut off.
    uint64_t length;
    /// Bytes of the path.
    uint64_t path;
    /// Bytes of content.
    uint64_t content;
};

#endif
