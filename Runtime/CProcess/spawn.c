#define _GNU_SOURCE
#include "CProcess.h"
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

/// The calling thread may be under a filter that lets only the host set the mark.
static void set_mark(struct child *child) {
    const struct rlimit64 mark = {child->plan->mark, child->plan->mark};
    if (child->plan->mark == 0) return;
    if (syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, &mark, NULL, 0, child->plan->cookie) < 0) {
        fail(child, "prlimit(RLIMIT_LOCKS)");
    }
}

static void join_control_group(struct child *child) {
    if (child->plan->control_group < 0) return;
    if (write(child->plan->control_group, "0", 1) < 0) fail(child, "write(cgroup.procs)");
}

static void restrict_files(struct child *child) {
    if (child->plan->ruleset < 0) return;
    // Where the kernel can (ABI 7), it logs what it refuses to the program, LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON, and not
    // what rules of the program's own do, LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF.
    if (syscall(SYS_landlock_restrict_self, child->plan->ruleset, 1 << 1 | 1 << 2) == 0) return;
    if (errno != EINVAL || syscall(SYS_landlock_restrict_self, child->plan->ruleset, 0) < 0) {
        fail(child, "landlock_restrict_self");
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
    // The secret tells a filter that this is the host's call; the kernel ignores it.
    if (syscall(SYS_setpgid, 0, 0, 0, 0, 0, child->plan->cookie) < 0) fail(child, "setpgid");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(child, "prctl(PR_SET_PDEATHSIG)");
    // The host may have died before the line above.
    if (getppid() != child->host) _exit(127);
    if (child->plan->is_calm && apus_calm_down() < 0) fail(child, "sched_setscheduler");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail(child, "prctl(PR_SET_NO_NEW_PRIVS)");
    // Those that a service manager has given to a host of another user than root.
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) fail(child, "prctl(PR_CAP_AMBIENT)");
    reset_signals();
    join_control_group(child);
    limit_resources(child);
    set_mark(child);
    if (chdir(child->plan->directory) < 0) fail(child, "chdir");
    restrict_files(child);
    place_descriptors(child);
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
        result.pidfd = -1;
        result.error = child.error;
        result.step = child.step;
    }
    return result;
}
