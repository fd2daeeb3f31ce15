#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 4096 };

/// A file or folder that the log has told of.
struct file {
    char *path;
    bool told;
    /// The last change, and the last that is durable.
    uint64_t changed, durable;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int undo = -1;
static const char *undo_path;
static uint64_t sequence;
static struct file files[FILES];
static uint32_t file_count = 1;
/// Files with changes that are not durable.
static uint32_t open_files;
/// What was written by earlier processes, or can become durable only by a folder's sync, stays.
static bool must_stay;
static bool begun;
static uint32_t links;

static void append(struct fault_undo record, const char *path, const void *content) {
    record.path = path ? strlen(path) : 0;
    struct iovec parts[] = {
        {&record, sizeof record}, {(void *)path, record.path}, {(void *)content, record.content}};
    // A log that cannot be kept would make every test that relies on it worthless.
    if (syscall(SYS_writev, undo, parts, 3) < 0) abort();
}

void fault_undo_start(const char *path) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) abort();
    // Out of the way of the process, which counts its descriptors.
    int high = fcntl(file, F_DUPFD_CLOEXEC, 900);
    if (high >= 0) {
        syscall(SYS_close, file);
        file = high;
    }
    undo_path = strdup(path);
    undo = file;
}

static bool is_covered(const char *path) {
    return fault_file_of(path) != FAULT_FILE_SHARED && !strstr(path, "/logs/");
}

uint32_t fault_undo_number(const char *path) {
    if (undo < 0 || !is_covered(path)) return 0;
    pthread_mutex_lock(&lock);
    uint32_t number = 1;
    while (number < file_count && strcmp(files[number].path, path) != 0) number++;
    if (number == file_count && file_count < FILES) files[file_count++].path = strdup(path);
    pthread_mutex_unlock(&lock);
    return number < FILES ? number : 0;
}

bool fault_undo_covers(struct fault_target target) { return undo >= 0 && target.number; }

void fault_undo_begin(void) {
    if (undo >= 0) pthread_mutex_lock(&lock);
}

void fault_undo_end(void) {
    if (undo >= 0) pthread_mutex_unlock(&lock);
}

/// Not earlier than something is told, since a shell that becomes the process tells nothing.
static void begin(void) {
    if (begun) return;
    begun = true;
    struct stat status;
    must_stay = must_stay || syscall(SYS_fstat, undo, &status) != 0 || status.st_size > 0;
    append((struct fault_undo){.kind = FAULT_UNDO_BEGIN}, NULL, NULL);
}

static void tell(uint32_t number) {
    begin();
    if (files[number].told) return;
    files[number].told = true;
    append((struct fault_undo){.kind = FAULT_UNDO_FILE, .file = number}, files[number].path, NULL);
}

/// Reads through a descriptor of its own where `descriptor` is for writing only.
static size_t read_at(int descriptor, void *buffer, size_t count, uint64_t offset) {
    ssize_t read = syscall(SYS_pread64, descriptor, buffer, count, offset);
    if (read < 0 && errno == EBADF) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
        int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
        read = syscall(SYS_pread64, again, buffer, count, offset);
        syscall(SYS_close, again);
    }
    return read < 0 ? 0 : (size_t)read;
}

uint64_t fault_undo_change(struct fault_target target, int descriptor, uint64_t offset, uint64_t size, size_t count) {
    size_t known = offset >= size ? 0 : size - offset < count ? size - offset : count;
    void *before = known ? malloc(known) : NULL;
    if (known && !before) abort();
    tell(target.number);
    struct file *file = &files[target.number];
    if (file->changed <= file->durable) open_files++;
    file->changed = ++sequence;
    struct fault_undo record = {
        .kind = FAULT_UNDO_WRITE, .file = target.number, .sequence = sequence, .offset = offset, .size = size,
        .length = count, .content = known ? read_at(descriptor, before, known, offset) : 0};
    append(record, NULL, before);
    free(before);
    return sequence;
}

void fault_undo_changed(
    struct fault_target target, int descriptor, uint64_t change, uint64_t offset, size_t count) {
    if (fault_control->undo < 2 || !count) return;
    void *after = malloc(count);
    if (!after) abort();
    struct fault_undo record = {
        .kind = FAULT_UNDO_WRITTEN, .file = target.number, .sequence = change, .offset = offset,
        .content = read_at(descriptor, after, count, offset)};
    append(record, NULL, after);
    free(after);
}

uint64_t fault_undo_last(void) {
    if (undo < 0) return 0;
    pthread_mutex_lock(&lock);
    uint64_t last = sequence;
    pthread_mutex_unlock(&lock);
    return last;
}

/// Begins the log anew when nothing in it matters any more.
static void empty(void) {
    if (open_files || must_stay || syscall(SYS_ftruncate, undo, 0) != 0) return;
    for (uint32_t number = 1; number < file_count; number++) files[number].told = false;
    begun = false;
}

void fault_undo_synced(struct fault_target target, uint64_t up_to, bool lost) {
    if (!fault_undo_covers(target)) return;
    pthread_mutex_lock(&lock);
    tell(target.number);
    struct file *file = &files[target.number];
    struct fault_undo record = {
        .kind = lost ? FAULT_UNDO_LOST : FAULT_UNDO_SYNCED, .file = target.number, .sequence = up_to};
    append(record, NULL, NULL);
    if (lost) {
        must_stay = true;
    } else {
        if (file->changed > file->durable && file->changed <= up_to) open_files--;
        if (up_to > file->durable) file->durable = up_to;
        empty();
    }
    pthread_mutex_unlock(&lock);
}

/// What happens to a name becomes durable by the sync of its folder; the log waits for that no matter how long.
static uint32_t named(const char *path) {
    uint32_t number = fault_undo_number(path);
    if (number) {
        pthread_mutex_lock(&lock);
        tell(number);
        must_stay = true;
        pthread_mutex_unlock(&lock);
    }
    return number;
}

void fault_undo_created(const char *path) {
    uint32_t number = fault_undo_number(path);
    if (!number) return;
    pthread_mutex_lock(&lock);
    tell(number);
    // An empty change, so that the first sync of the file makes its name durable too.
    struct file *file = &files[number];
    if (file->changed <= file->durable) open_files++;
    file->changed = ++sequence;
    append((struct fault_undo){.kind = FAULT_UNDO_CREATED, .file = number, .sequence = sequence}, NULL, NULL);
    pthread_mutex_unlock(&lock);
}

void fault_undo_removing(const char *path) {
    uint32_t number = named(path);
    if (!number) return;
    pthread_mutex_lock(&lock);
    char kept[PATH_MAX];
    snprintf(kept, sizeof kept, "%s.kept.%d.%u", undo_path, getpid(), ++links);
    bool linked = syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0) == 0;
    struct fault_undo record = {.kind = FAULT_UNDO_REMOVED, .file = number, .sequence = ++sequence};
    append(record, linked ? kept : "", NULL);
    pthread_mutex_unlock(&lock);
}

void fault_undo_renaming(const char *from, const char *to) {
    if (syscall(SYS_faccessat, AT_FDCWD, to, F_OK) == 0) fault_undo_removing(to);
    uint32_t number = named(from);
    if (!number) return;
    pthread_mutex_lock(&lock);
    struct fault_undo record = {.kind = FAULT_UNDO_RENAMED, .file = number, .sequence = ++sequence};
    append(record, to, NULL);
    pthread_mutex_unlock(&lock);
}
