// libc's functions, with the faults before and after the system call. Each call that is not concerned goes straight to
// the kernel, in a few nanoseconds more than libc takes.
#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The same names in libc's headers may be macros for others.
#undef open64
#undef openat64
#undef creat64
#undef pwrite64
#undef ftruncate64
#undef pwritev64
#undef fallocate64
#undef posix_fallocate64

static long failed(int error) {
    errno = error;
    return -1;
}

static uint64_t size_of(int descriptor) {
    struct stat status;
    return syscall(SYS_fstat, descriptor, &status) == 0 ? (uint64_t)status.st_size : 0;
}

// MARK: Writing

/// The first `count` bytes of `parts`, in `some`, which has as many elements.
static int cut(const struct iovec *parts, int part_count, size_t count, struct iovec *some) {
    int used = 0;
    for (int index = 0; index < part_count && count; index++) {
        some[used] = parts[index];
        if (some[used].iov_len > count) some[used].iov_len = count;
        count -= some[used++].iov_len;
    }
    return used;
}

static size_t total(const struct iovec *parts, int part_count) {
    size_t count = 0;
    for (int index = 0; index < part_count; index++) count += parts[index].iov_len;
    return count;
}

/// - offset: -1 for the descriptor's position.
static long raw_write(int descriptor, const struct iovec *parts, int part_count, int64_t offset) {
    if (part_count == 1 && offset < 0) return syscall(SYS_write, descriptor, parts->iov_base, parts->iov_len);
    if (part_count == 1) return syscall(SYS_pwrite64, descriptor, parts->iov_base, parts->iov_len, offset);
    if (offset < 0) return syscall(SYS_writev, descriptor, parts, part_count);
    return syscall(SYS_pwritev, descriptor, parts, part_count, (long)offset, (long)(offset >> 32));
}

static long write_cut(int descriptor, const struct iovec *parts, int part_count, int64_t offset, size_t count) {
    if (count == total(parts, part_count)) return raw_write(descriptor, parts, part_count, offset);
    struct iovec some[part_count];
    int used = cut(parts, part_count, count, some);
    return used ? raw_write(descriptor, some, used, offset) : 0;
}

static long write_file(
    struct fault_target target, int descriptor, const struct iovec *parts, int part_count, int64_t offset) {
    bool turn = fault_turn(FAULT_CALL_WRITE);
    fault_kill_at(turn, FAULT_BEFORE);
    int error = fault_error(&fault_control->write, target.file);
    if (error) return failed(error);

    size_t count = total(parts, part_count);
    bool covered = fault_undo_covers(target);
    uint64_t position = 0, size = 0, change = 0;
    if (covered) fault_undo_begin();
    if (covered || __atomic_load_n(&fault_control->space_limited, __ATOMIC_RELAXED)) {
        size = size_of(descriptor);
        bool appends = syscall(SYS_fcntl, descriptor, F_GETFL) & O_APPEND;
        position = appends ? size : offset >= 0 ? (uint64_t)offset : (uint64_t)lseek(descriptor, 0, SEEK_CUR);
    }
    size_t room = fault_room(position, size, count);
    if (covered && room) change = fault_undo_change(target, descriptor, position, size, room);
    if (turn && fault_control->kill_when == FAULT_AMID && room)
        write_cut(descriptor, parts, part_count, offset, (room + 1) / 2);
    fault_kill_at(turn, FAULT_AMID);
    long result = count && !room ? failed(ENOSPC) : write_cut(descriptor, parts, part_count, offset, room);
    if (covered) {
        int code = errno;
        if (result > 0) fault_undo_changed(target, descriptor, change, position, (size_t)result);
        fault_undo_end();
        errno = code;
    }
    fault_kill_at(turn, FAULT_AFTER);
    return result;
}

/// A call that has no middle.
static bool begins(uint32_t call) {
    bool turn = fault_turn(call);
    fault_kill_at(turn, FAULT_BEFORE);
    fault_kill_at(turn, FAULT_AMID);
    return turn;
}

static long ended(bool turn, long result) {
    fault_kill_at(turn, FAULT_AFTER);
    return result;
}

static long write_any(int descriptor, const struct iovec *parts, int part_count, int64_t offset) {
    struct fault_target target = fault_target_of(descriptor);
    if (target.file) return write_file(target, descriptor, parts, part_count, offset);
    if (!target.is_socket) return raw_write(descriptor, parts, part_count, offset);
    bool turn = begins(FAULT_CALL_SEND);
    return ended(turn, raw_write(descriptor, parts, part_count, offset));
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    struct iovec part = {(void *)bytes, count};
    return write_any(descriptor, &part, 1, -1);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    return write_any(descriptor, parts, count, -1);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) {
    if (offset < 0) return failed(EINVAL);
    struct iovec part = {(void *)bytes, count};
    return write_any(descriptor, &part, 1, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset) {
    return offset < 0 ? failed(EINVAL) : write_any(descriptor, parts, count, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(descriptor, parts, count, offset);
}

static bool is_socket(int descriptor) { return fault_target_of(descriptor).is_socket; }

ssize_t sendto(
    int descriptor, const void *bytes, size_t count, int flags, const struct sockaddr *address, socklen_t length) {
    bool turn = is_socket(descriptor) && begins(FAULT_CALL_SEND);
    return ended(turn, syscall(SYS_sendto, descriptor, bytes, count, flags, address, length));
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags) {
    return sendto(descriptor, bytes, count, flags, NULL, 0);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    bool turn = is_socket(descriptor) && begins(FAULT_CALL_SEND);
    return ended(turn, syscall(SYS_sendmsg, descriptor, message, flags));
}

// MARK: Sizes

int ftruncate64(int descriptor, off_t size) {
    struct fault_target target = fault_target_of(descriptor);
    if (!target.file) return (int)syscall(SYS_ftruncate, descriptor, size);
    bool turn = begins(FAULT_CALL_TRUNCATE);
    int error = fault_error(&fault_control->write, target.file);
    if (error) return (int)failed(error);
    if (!fault_undo_covers(target)) return (int)ended(turn, syscall(SYS_ftruncate, descriptor, size));
    fault_undo_begin();
    uint64_t old = size_of(descriptor), new = (uint64_t)size;
    uint64_t from = new < old ? new : old;
    fault_undo_change(target, descriptor, from, old, old - from);
    long result = syscall(SYS_ftruncate, descriptor, size);
    fault_undo_end();
    return (int)ended(turn, result);
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

int fallocate64(int descriptor, int mode, off_t offset, off_t count) {
    struct fault_target target = fault_target_of(descriptor);
    if (!target.file) return (int)syscall(SYS_fallocate, descriptor, mode, offset, count);
    bool turn = begins(FAULT_CALL_WRITE);
    int error = fault_error(&fault_control->write, target.file);
    uint64_t size = size_of(descriptor);
    if (!error && fault_room((uint64_t)offset, size, (size_t)count) < (size_t)count) error = ENOSPC;
    if (error) return (int)failed(error);
    fault_undo_begin();
    if (fault_undo_covers(target)) fault_undo_change(target, descriptor, size, size, 0);
    long result = syscall(SYS_fallocate, descriptor, mode, offset, count);
    fault_undo_end();
    return (int)ended(turn, result);
}

int fallocate(int descriptor, int mode, off_t offset, off_t count) {
    return fallocate64(descriptor, mode, offset, count);
}

int posix_fallocate64(int descriptor, off_t offset, off_t count) {
    int before = errno;
    int result = fallocate64(descriptor, 0, offset, count) == 0 ? 0 : errno;
    errno = before;
    return result;
}

int posix_fallocate(int descriptor, off_t offset, off_t count) {
    return posix_fallocate64(descriptor, offset, count);
}

// MARK: Durability

static void delay(void) {
    uint64_t longest = __atomic_load_n(&fault_control->sync_delay, __ATOMIC_RELAXED);
    if (!longest) return;
    static __thread uint64_t random;
    if (!random) random = (uint64_t)(uintptr_t)&random ^ (uint64_t)time(NULL) << 20;
    // xorshift64
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    uint64_t nanoseconds = random % longest * 1000;
    struct timespec time = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    nanosleep(&time, NULL);
}

static int sync_file(long call, int descriptor) {
    struct fault_target target = fault_target_of(descriptor);
    if (!target.file) return (int)syscall(call, descriptor);
    bool turn = begins(FAULT_CALL_SYNC);
    delay();
    uint64_t last = fault_undo_last();
    int error = fault_error(&fault_control->sync, target.file);
    if (error) {
        fault_undo_synced(target, last, true);
        return (int)failed(error);
    }
    if (__atomic_load_n(&fault_control->sync_skipped, __ATOMIC_RELAXED)) return (int)ended(turn, 0);
    long result = syscall(call, descriptor);
    if (result == 0) fault_undo_synced(target, last, false);
    return (int)ended(turn, result);
}

int fsync(int descriptor) { return sync_file(SYS_fsync, descriptor); }

int fdatasync(int descriptor) { return sync_file(SYS_fdatasync, descriptor); }

// MARK: Names

static int open_file(int folder, const char *path, int flags, mode_t mode) {
    char resolved[PATH_MAX];
    bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    if (!writes || !fault_is_below(folder, path, resolved)) {
        int file = (int)syscall(SYS_openat, folder, path, flags, mode);
        fault_forget(file);
        return file;
    }
    struct stat status;
    bool exists = syscall(SYS_faccessat, AT_FDCWD, resolved, F_OK) == 0;
    int error = fault_error(&fault_control->open, fault_file_of(resolved));
    if (error) return (int)failed(error);
    bool creates = !exists && flags & O_CREAT;
    bool turn = creates && begins(FAULT_CALL_CHANGE);
    // What O_TRUNC throws away must be in the log first.
    if (exists && flags & O_TRUNC && stat(resolved, &status) == 0 && S_ISREG(status.st_mode)) {
        int file = (int)syscall(SYS_openat, folder, path, (flags & ~O_TRUNC), mode);
        fault_forget(file);
        if (file >= 0) ftruncate64(file, 0);
        return file;
    }
    int file = (int)syscall(SYS_openat, folder, path, flags, mode);
    fault_forget(file);
    if (creates && file >= 0) fault_undo_created(resolved);
    return (int)ended(turn, file);
}

/// The mode is there only with flags that make a file.
#define OPEN(folder, path, flags)                                                  \
    va_list more;                                                                  \
    va_start(more, flags);                                                         \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;      \
    va_end(more);                                                                  \
    return open_file(folder, path, flags, mode)

int openat(int folder, const char *path, int flags, ...) { OPEN(folder, path, flags); }

int openat64(int folder, const char *path, int flags, ...) { OPEN(folder, path, flags); }

int open(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }

int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }

int creat64(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int creat(const char *path, mode_t mode) { return creat64(path, mode); }

int unlinkat(int folder, const char *path, int flags) {
    char resolved[PATH_MAX];
    if (flags || !fault_is_below(folder, path, resolved)) return (int)syscall(SYS_unlinkat, folder, path, flags);
    bool turn = begins(FAULT_CALL_CHANGE);
    int error = fault_error(&fault_control->change, fault_file_of(resolved));
    if (error) return (int)failed(error);
    fault_undo_removing(resolved);
    long result = syscall(SYS_unlinkat, folder, path, flags);
    fault_forget_files();
    return (int)ended(turn, result);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int remove(const char *path) {
    int result = unlink(path);
    return result != 0 && errno == EISDIR ? rmdir(path) : result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    char old[PATH_MAX], new[PATH_MAX];
    if (!fault_is_below(from_folder, from, old) || !fault_is_below(to_folder, to, new))
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    bool turn = begins(FAULT_CALL_CHANGE);
    int error = fault_error(&fault_control->change, fault_file_of(new));
    if (error) return (int)failed(error);
    fault_undo_renaming(old, new);
    long result = syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    fault_forget_files();
    return (int)ended(turn, result);
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

// MARK: Descriptors that stand for something else from now on

int close(int descriptor) {
    fault_forget(descriptor);
    return (int)syscall(SYS_close, descriptor);
}

int dup2(int from, int to) {
    if (from == to) return fcntl(from, F_GETFD) < 0 ? -1 : to;
    fault_forget(to);
    return (int)syscall(SYS_dup3, from, to, 0);
}

int dup3(int from, int to, int flags) {
    fault_forget(to);
    return (int)syscall(SYS_dup3, from, to, flags);
}

int socket(int domain, int type, int protocol) {
    int descriptor = (int)syscall(SYS_socket, domain, type, protocol);
    fault_forget(descriptor);
    return descriptor;
}

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
    int descriptor = (int)syscall(SYS_accept4, listener, address, length, flags);
    fault_forget(descriptor);
    return descriptor;
}

int accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, 0);
}
