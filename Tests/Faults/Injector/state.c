#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fault_control *fault_control;
static char watched[PATH_MAX];
static size_t watched_length;

// MARK: Starting

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("APUS_FAULTS_FOLDER");
    const char *path = getenv("APUS_FAULTS_CONTROL");
    if (!folder || !path || strlen(folder) >= sizeof watched) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return;
    struct fault_control *control =
        mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (control == MAP_FAILED || control->magic != FAULT_CONTROL_MAGIC) return;
    strcpy(watched, folder);
    watched_length = strlen(watched);
    const char *undo = getenv("APUS_FAULTS_UNDO");
    fault_control = control;
    if (undo && control->undo) fault_undo_start(undo);
}

// MARK: Targets

enum { DESCRIPTORS = 1 << 16, UNKNOWN = 0, KNOWN = 1, IS_SOCKET = 2, IS_FOLDER = 4, FILE_SHIFT = 4, NUMBER_SHIFT = 8 };

/// A fault_target in one word each, so that threads need no lock.
static uint32_t targets[DESCRIPTORS];

static bool is_below(const char *path) {
    if (strncmp(path, watched, watched_length) != 0) return false;
    return path[watched_length] == '/' || path[watched_length] == 0;
}

static bool ends(const char *path, const char *end) {
    size_t length = strlen(path), expected = strlen(end);
    return length >= expected && strcmp(path + length - expected, end) == 0;
}

uint32_t fault_file_of(const char *path) {
    if (ends(path, ".db")) return FAULT_FILE_DATABASE;
    if (ends(path, "-wal") || ends(path, "-journal")) return FAULT_FILE_WAL;
    if (ends(path, "-shm")) return FAULT_FILE_SHARED;
    return FAULT_FILE_OTHER;
}

static uint32_t look_up(int descriptor) {
    struct stat status;
    if (syscall(SYS_fstat, descriptor, &status) != 0) return UNKNOWN;
    if (S_ISSOCK(status.st_mode)) return KNOWN | IS_SOCKET;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return KNOWN;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return KNOWN;
    path[length] = 0;
    if (!is_below(path) || ends(path, " (deleted)")) return KNOWN;
    uint32_t file = S_ISDIR(status.st_mode) ? FAULT_FILE_OTHER : fault_file_of(path);
    uint32_t folder = S_ISDIR(status.st_mode) ? IS_FOLDER : 0;
    return KNOWN | folder | file << FILE_SHIFT | fault_undo_number(path) << NUMBER_SHIFT;
}

struct fault_target fault_target_of(int descriptor) {
    struct fault_target target = {0};
    if (!fault_control || descriptor < 0 || descriptor >= DESCRIPTORS) return target;
    uint32_t word = __atomic_load_n(&targets[descriptor], __ATOMIC_RELAXED);
    if (word == UNKNOWN) {
        int error = errno;
        word = look_up(descriptor);
        errno = error;
        __atomic_store_n(&targets[descriptor], word, __ATOMIC_RELAXED);
    }
    target.is_socket = word & IS_SOCKET;
    target.is_folder = word & IS_FOLDER;
    target.file = word >> FILE_SHIFT & 15;
    target.number = word >> NUMBER_SHIFT;
    return target;
}

void fault_forget(int descriptor) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS)
        __atomic_store_n(&targets[descriptor], UNKNOWN, __ATOMIC_RELAXED);
}

void fault_forget_files(void) {
    for (int descriptor = 0; descriptor < DESCRIPTORS; descriptor++) {
        uint32_t word = __atomic_load_n(&targets[descriptor], __ATOMIC_RELAXED);
        if (word >> FILE_SHIFT & 15) fault_forget(descriptor);
    }
}

bool fault_is_below(int folder, const char *path, char *resolved) {
    if (!fault_control) return false;
    int error = errno;
    bool below = false;
    const char *name = strrchr(path, '/');
    char parent[PATH_MAX];
    size_t length = name ? (size_t)(name - path) + 1 : 0;
    if (length + 2 < sizeof parent) {
        memcpy(parent, path, length);
        strcpy(parent + length, ".");
        char base[64] = ".", joined[PATH_MAX + 64], real[PATH_MAX];
        if (folder != AT_FDCWD) snprintf(base, sizeof base, "/proc/self/fd/%d", folder);
        snprintf(joined, sizeof joined, "%s/%s", base, parent);
        if (realpath(path[0] == '/' ? parent : joined, real)) {
            int written = snprintf(resolved, PATH_MAX, "%s/%s", real, path + length);
            below = written > 0 && written < PATH_MAX && is_below(resolved);
        }
    }
    errno = error;
    return below;
}

// MARK: Rules

/// Takes one of a count; false when there was none.
static bool take(uint64_t *count) {
    uint64_t value = __atomic_load_n(count, __ATOMIC_RELAXED);
    while (value) {
        if (__atomic_compare_exchange_n(count, &value, value - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

int fault_error(struct fault_rule *rule, uint32_t file) {
    int error = (int)__atomic_load_n(&rule->error, __ATOMIC_ACQUIRE);
    if (!error || (rule->files && !(rule->files & file)) || take(&rule->skip)) return 0;
    if (take(&rule->times) && !__atomic_load_n(&rule->times, __ATOMIC_RELAXED))
        __atomic_store_n(&rule->error, 0, __ATOMIC_RELEASE);
    __atomic_fetch_add(&fault_control->failed, 1, __ATOMIC_RELAXED);
    return error;
}

size_t fault_room(uint64_t offset, uint64_t size, size_t count) {
    uint64_t end = offset + count;
    if (!__atomic_load_n(&fault_control->space_limited, __ATOMIC_ACQUIRE) || end <= size) return count;
    uint64_t growth = end - (offset > size ? offset : size);
    uint64_t left = __atomic_load_n(&fault_control->space_left, __ATOMIC_RELAXED);
    uint64_t taken;
    do {
        taken = growth < left ? growth : left;
    } while (!__atomic_compare_exchange_n(
        &fault_control->space_left, &left, left - taken, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (taken < growth) __atomic_fetch_add(&fault_control->failed, 1, __ATOMIC_RELAXED);
    return count - (growth - taken);
}

bool fault_turn(uint32_t call) {
    if (!fault_control) return false;
    __atomic_fetch_add(&fault_control->calls[__builtin_ctz(call)], 1, __ATOMIC_RELAXED);
    if (!(__atomic_load_n(&fault_control->kill_calls, __ATOMIC_RELAXED) & call)) return false;
    return take(&fault_control->kill_in) && !__atomic_load_n(&fault_control->kill_in, __ATOMIC_RELAXED);
}

void fault_kill_at(bool turn, uint64_t moment) {
    if (!turn || fault_control->kill_when != moment) return;
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}
