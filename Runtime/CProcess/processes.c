#define _GNU_SOURCE
#include "CProcess.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t apus_mark(pid_t pid) {
    struct rlimit mark;
    if (prlimit(pid, RLIMIT_LOCKS, NULL, &mark) < 0 || mark.rlim_max == RLIM_INFINITY) return 0;
    return mark.rlim_max;
}

/// Reads a file of /proc whole, as text; false when it is gone or not to be read.
static int read_text(pid_t pid, const char *name, char *text, size_t capacity) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const ssize_t length = read(file, text, capacity - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

/// Fills in what proc_pid_stat(5) says; false for one that has gone.
static int inspect(struct apus_process *process) {
    char text[1024], state = 0;
    if (!read_text(process->pid, "stat", text, sizeof text)) return 0;
    // The name before, in parentheses, may hold anything.
    const char *rest = strrchr(text, ')');
    long pages = 0, tasks = 0;
    const char *format = ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %*u %*u %ld";
    if (rest == NULL || sscanf(rest, format, &state, &tasks, &pages) != 3) return 0;
    process->tasks = tasks > 0 ? (uint64_t)tasks : 1;
    process->resident = (uint64_t)(pages > 0 ? pages : 0) * (uint64_t)sysconf(_SC_PAGESIZE);
    process->is_stopped = state == 'T';
    // Where the first thread has ended, and others go on, the process is in that state too.
    process->is_zombie = (state == 'Z' || state == 'X') && process->tasks == 1;
    return 1;
}

/// The next process in /proc; 0 at the end.
static pid_t next_process(DIR *folder) {
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) return (pid_t)atoi(entry->d_name);
    }
    return 0;
}

size_t apus_processes(struct apus_process *list, size_t capacity) {
    DIR *folder = opendir("/proc");
    if (folder == NULL) return 0;
    size_t count = 0;
    pid_t pid;
    while ((pid = next_process(folder)) != 0) {
        struct apus_process process = {.pid = pid, .mark = apus_mark(pid)};
        if (process.mark == 0 || !inspect(&process)) continue;
        if (count < capacity) list[count] = process;
        count++;
    }
    closedir(folder);
    return count;
}

static int is_one(uint64_t mark, struct apus_marks marks) {
    return mark != 0 && (mark & marks.mask) == (marks.value & marks.mask);
}

/// Signals the process that was looked at, even if its number is another's by then. Returns whether it was one that
/// carries the mark and does not wait for that signal already.
static int signal_if_marked(pid_t pid, struct apus_marks marks, int number) {
    struct apus_process process = {.pid = pid};
    const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) return 0;
    const int is_meant = is_one(apus_mark(pid), marks) && inspect(&process) && !process.is_zombie
        && !(number == SIGSTOP && process.is_stopped);
    if (is_meant) syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
    close(pidfd);
    return is_meant;
}

static size_t signal_marked(struct apus_marks marks, int number) {
    DIR *folder = opendir("/proc");
    if (folder == NULL) return 0;
    size_t count = 0;
    pid_t pid;
    while ((pid = next_process(folder)) != 0) {
        if (is_one(apus_mark(pid), marks)) count += (size_t)signal_if_marked(pid, marks, number);
    }
    closedir(folder);
    return count;
}

size_t apus_kill_marked(struct apus_marks marks) {
    // First all stand still: a process that is looked at after its parent was stopped starts no other. Some may be born
    // behind the back of one look, a few behind the next.
    enum { most_passes = 64 };
    size_t found = signal_marked(marks, SIGSTOP);
    if (found == 0) return 0;
    for (int pass = 0; pass < most_passes && signal_marked(marks, SIGSTOP) > 0; pass++) {}
    size_t total = 0;
    for (int pass = 0; pass < most_passes && (found = signal_marked(marks, SIGKILL)) > 0; pass++) total += found;
    return total;
}

static int is_child(pid_t pid) {
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int apus_take_over(pid_t pid, uint64_t mark, uint64_t own) {
    // A child keeps its number until it is reaped, so that all that follows is about the same one.
    if (pid <= 1 || !is_child(pid) || apus_mark(pid) != mark) return -ECHILD;
    // One that leads a session has its own group already.
    if (setpgid(pid, pid) < 0 && getpgid(pid) != pid) return -ECHILD;
    const int pidfd = apus_pidfd_open(pid);
    if (pidfd < 0) return pidfd;
    const struct rlimit lower = {own, own};
    if (prlimit(pid, RLIMIT_LOCKS, &lower, NULL) == 0) return pidfd;
    const int error = errno;
    close(pidfd);
    return -error;
}

void apus_reap_marked(uint64_t mark) {
    DIR *folder = opendir("/proc");
    if (folder == NULL) return;
    pid_t pid;
    while ((pid = next_process(folder)) != 0) {
        if (apus_mark(pid) != mark || !is_child(pid)) continue;
        kill(pid, SIGKILL);
        apus_reap(pid);
    }
    closedir(folder);
}

uint64_t apus_last_process(void) {
    char text[256];
    unsigned long last = 0;
    const int file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    return sscanf(text, "%*s %*s %*s %*s %lu", &last) == 1 ? last : 0;
}

void apus_prefer_thread(void) { setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -15); }

uint64_t apus_proportional_size(pid_t pid) {
    char text[2048];
    unsigned long kilobytes = 0;
    if (!read_text(pid, "smaps_rollup", text, sizeof text)) return 0;
    const char *line = strstr(text, "\nPss:");
    if (line == NULL || sscanf(line, "\nPss: %lu", &kilobytes) != 1) return 0;
    return (uint64_t)kilobytes << 10;
}

uint64_t apus_resident_size(pid_t pid) {
    char text[256];
    unsigned long pages = 0;
    if (!read_text(pid, "statm", text, sizeof text) || sscanf(text, "%*u %lu", &pages) != 1) return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
