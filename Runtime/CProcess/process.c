#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { stack_size = 64 * 1024, descriptor_count = 4 };

/// Shared with the child, which runs in the host's memory until it calls execve: it may only make system calls and
/// write here.
struct child {
    const struct apus_spawn_plan *plan;
    pid_t host;
    volatile int error;
    const char *volatile step;
};

static _Noreturn void fail(struct child *child, const char *step) {
    child->error = errno;
    child->step = step;
    _exit(127);
}

static void reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    // Signals that have no handler to reset (SIGKILL, SIGSTOP, the C library's own) answer EINVAL.
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void limit_resources(struct child *child) {
    const struct rlimit no_core = {0, 0};
    if (setrlimit(RLIMIT_CORE, &no_core) < 0) fail(child, "setrlimit(RLIMIT_CORE)");
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) fail(child, "getrlimit(RLIMIT_NOFILE)");
    if (files.rlim_max > child->plan->files) files.rlim_max = child->plan->files;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0) fail(child, "setrlimit(RLIMIT_NOFILE)");
    if (child->plan->memory > 0) {
        const struct rlimit memory = {child->plan->memory, child->plan->memory};
        if (setrlimit(RLIMIT_DATA, &memory) < 0) fail(child, "setrlimit(RLIMIT_DATA)");
    }
}

static void place_descriptors(struct child *child) {
    int sources[descriptor_count];
    // First all out of the way of 0 to 3, so that none is overwritten before it has been copied.
    for (int index = 0; index < descriptor_count; index++) {
        sources[index] = child->plan->descriptors[index];
        if (sources[index] < 0 || sources[index] >= descriptor_count) continue;
        sources[index] = fcntl(sources[index], F_DUPFD_CLOEXEC, descriptor_count);
        if (sources[index] < 0) fail(child, "fcntl(F_DUPFD_CLOEXEC)");
    }
    for (int index = 0; index < descriptor_count; index++) {
        if (sources[index] < 0) close(index);
        else if (dup2(sources[index], index) < 0) fail(child, "dup2");
    }
    if (syscall(SYS_close_range, descriptor_count, ~0U, 0) == 0) return;
    // Linux before 5.9. Everything that the host opens is close-on-exec, so that this is only a second line.
    for (int index = descriptor_count; index < 4096; index++) close(index);
}

static int run_child(void *argument) {
    struct child *child = argument;
    if (setpgid(0, 0) < 0) fail(child, "setpgid");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(child, "prctl(PR_SET_PDEATHSIG)");
    // The host may have died before the line above.
    if (getppid() != child->host) _exit(127);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail(child, "prctl(PR_SET_NO_NEW_PRIVS)");
    reset_signals();
    place_descriptors(child);
    limit_resources(child);
    if (chdir(child->plan->directory) < 0) fail(child, "chdir");
    execve(child->plan->path, child->plan->arguments, child->plan->environment);
    fail(child, "execve");
}

struct apus_spawned apus_spawn(const struct apus_spawn_plan *plan) {
    struct apus_spawned result = {.pid = -1, .pidfd = -1};
    struct child child = {.plan = plan, .host = getpid()};
    // Kept for the thread's next child: to unmap it would interrupt every core that the host runs on.
    static _Thread_local char *stack;
    if (stack == NULL) {
        char *new = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (new == MAP_FAILED) {
            result.error = errno;
            result.step = "mmap";
            return result;
        }
        stack = new;
    }
    // No handler of the host may run in the child, which shares its memory.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    // CLONE_VM and CLONE_VFORK: no page tables are copied, and this thread waits until the child has called execve.
    const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    result.pid = clone(run_child, stack + stack_size, flags, &child, &result.pidfd);
    const int clone_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result.pid < 0) {
        result.error = clone_error;
        result.step = "clone";
        result.pidfd = -1;
    } else if (child.error != 0) {
        waitpid(result.pid, NULL, 0);
        close(result.pidfd);
        result.pid = result.pidfd = -1;
        result.error = child.error;
        result.step = child.step;
    }
    return result;
}

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

int apus_kill_if_in_environment(pid_t pid, const char *text) {
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) return 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    int found = 0;
    char *entry = NULL;
    size_t capacity = 0;
    while (file != NULL && !found && getdelim(&entry, &capacity, '\0', file) > 0) found = strcmp(entry, text) == 0;
    free(entry);
    if (file != NULL) fclose(file);
    if (found) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    close(pidfd);
    return found;
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
