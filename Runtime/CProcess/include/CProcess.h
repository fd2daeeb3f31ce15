#ifndef APUS_CPROCESS_H
#define APUS_CPROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "instance.h"
#include "sandbox.h"

/// What a child process is to be. Every pointer must stay valid during `apus_spawn`.
struct apus_spawn_plan {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// What becomes descriptors 0 to 3 of the child; -1 leaves that one closed. All others are closed.
    int descriptors[4];
    /// RLIMIT_DATA in bytes; 0 leaves it as it is.
    uint64_t memory;
    /// RLIMIT_NOFILE, at most the host's own hard limit.
    uint64_t files;
    /// By which the process and what it starts are known: see `apus_mark`.
    uint64_t mark;
    /// Of the filter that the calling thread is under; 0 for none.
    uint64_t cookie;
    /// A Landlock ruleset to be under; -1 for none.
    int ruleset;
    /// `cgroup.procs` of the control group to be in, open for writing; -1 for none.
    int control_group;
    /// Not 0: it gives way to all others, until `apus_hurry`.
    int is_calm;
};

struct apus_spawned {
    /// With an error, that of a process which is gone; or -1.
    pid_t pid;
    /// Becomes readable when the process has ended; close-on-exec.
    int pidfd;
    /// An errno, or 0.
    int error;
    /// The call that failed with `error`.
    const char *step;
};

/// Starts a process in a process group of its own, which dies with the calling thread.
struct apus_spawned apus_spawn(const struct apus_spawn_plan *plan);

/// Makes the calling thread, and what it starts from now on, give way to all others. Returns 0, or -1 and an errno.
int apus_calm_down(void);
/// Whether this process may undo that (sched(7): RLIMIT_NICE, or CAP_SYS_NICE).
int apus_can_hurry(void);
/// Undoes it for every thread of `process`, which must be a child that has not been reaped.
void apus_hurry(pid_t process);

/// How a child has ended.
struct apus_exit {
    /// Exit status, or the number of the signal.
    int status;
    int signalled;
    /// An errno, or 0.
    int error;
};

/// Tells how child `pid` has ended without reaping it, so that its number stays taken.
struct apus_exit apus_exit_peek(pid_t pid);
/// Reaps child `pid`, which has ended.
void apus_reap(pid_t pid);

/// Raises this process's soft RLIMIT_NOFILE to the hard one. Returns what it is then; 0 when that is not known.
uint64_t apus_raise_file_limit(void);

/// A new epoll descriptor, or -errno.
int apus_epoll_create(void);
/// Watches `pidfd` for its end, once; `key` comes back from `apus_epoll_wait`. Returns 0 or -errno.
int apus_epoll_add(int epoll, int pidfd, uint64_t key);
/// Waits for keys; writes at most `capacity` of them. Returns how many, or -errno.
int apus_epoll_wait(int epoll, uint64_t *keys, int capacity);

/// A pipe, both ends close-on-exec. Returns 0 or -errno.
int apus_pipe(int ends[2]);
/// A connected pair of Unix stream sockets, both close-on-exec. Returns 0 or -errno.
int apus_socketpair(int ends[2]);
/// The name of a signal without `SIG`, or NULL.
const char *apus_signal_name(int number);
/// Removes a directory and what is in it, following no links, whatever somebody who may write there does meanwhile. Its
/// directories need not be readable, as long as they are this user's.
void apus_remove_tree(const char *path);

#endif
