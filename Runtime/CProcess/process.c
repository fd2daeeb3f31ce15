#define _GNU_SOURCE
#include "CProcess.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct apus_exit apus_exit_peek(pid_t pid) {
    siginfo_t info = {0};
    int outcome;
    do outcome = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    while (outcome < 0 && errno == EINTR);
    if (outcome < 0) return (struct apus_exit){.error = errno};
    return (struct apus_exit){.status = info.si_status, .signalled = info.si_code != CLD_EXITED};
}

void apus_reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

uint64_t apus_raise_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) return 0;
    const rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) < 0 ? before : files.rlim_cur;
}

int apus_epoll_create(void) {
    const int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int apus_epoll_add(int epoll, int pidfd, uint64_t key) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = key};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event) < 0 ? -errno : 0;
}

int apus_epoll_wait(int epoll, uint64_t *keys, int capacity) {
    struct epoll_event events[64];
    if (capacity > 64) capacity = 64;
    const int count = epoll_wait(epoll, events, capacity, -1);
    if (count < 0) return -errno;
    for (int index = 0; index < count; index++) keys[index] = events[index].data.u64;
    return count;
}

int apus_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int apus_socketpair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

const char *apus_signal_name(int number) { return sigabbrev_np(number); }

/// Opens directory `name` in `parent`, if it is one, and makes it this user's to change; no link is followed.
static int open_folder(int parent, const char *name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat status;
    int folder = openat(parent, name, flags);
    if (folder < 0 && errno == EACCES) {
        // By a descriptor that needs no permission, and that only this path can change permissions by.
        const int place = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (place < 0) return -1;
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", place);
        if (chmod(path, S_IRWXU) == 0) folder = openat(place, ".", flags);
        close(place);
    }
    if (folder >= 0 && fstat(folder, &status) == 0 && (status.st_mode & S_IRWXU) != S_IRWXU) fchmod(folder, S_IRWXU);
    return folder;
}

/// Moves directory `name` of `folder` to `top`, under a name that is free there.
static int move_up(int folder, const char *name, int top, unsigned long *number) {
    char place[32];
    do {
        snprintf(place, sizeof place, "%lu", (*number)++);
        if (renameat(folder, name, top, place) == 0) return 1;
    } while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
    return 0;
}

/// Removes what is in `folder`, but moves its directories to `top`, where it is not that itself: so it takes no more
/// descriptors the deeper they are. Closes `folder`. Returns how much it has removed or moved.
static size_t empty(int folder, int top, unsigned long *number) {
    size_t done = 0;
    DIR *entries = fdopendir(folder);
    if (entries == NULL) {
        close(folder);
        return 0;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        // What cannot be removed stays; the rest goes.
        if (unlinkat(folder, name, 0) == 0 || unlinkat(folder, name, AT_REMOVEDIR) == 0) {
            done++;
            continue;
        }
        const int inner = open_folder(folder, name);
        if (inner < 0) continue;
        if (top >= 0) {
            close(inner);
            done += (size_t)move_up(folder, name, top, number);
        } else {
            done += empty(inner, folder, number);
        }
    }
    closedir(entries);
    return done;
}

void apus_remove_tree(const char *path) {
    // Somebody may go on writing there; each level that is moved up takes two at most.
    enum { most_passes = 1 << 20 };
    unsigned long number = 0;
    // A link in the folder's place; a folder stays.
    if (unlink(path) == 0) return;
    for (int pass = 0; pass < most_passes && rmdir(path) < 0; pass++) {
        const int folder = open_folder(AT_FDCWD, path);
        if (folder < 0 || empty(folder, -1, &number) == 0) return;
    }
}
