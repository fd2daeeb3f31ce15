#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position) {
    (void)status, (void)kind, (void)position;
    // What cannot be removed stays; the rest goes.
    remove(path);
    return 0;
}

void apus_remove_tree(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }
