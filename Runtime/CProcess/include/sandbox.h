#ifndef APUS_SANDBOX_H
#define APUS_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: Landlock (landlock(7))

/// Rights of a path rule, and which of them a ruleset handles.
enum apus_right {
    APUS_RIGHT_EXECUTE = 1 << 0,
    APUS_RIGHT_WRITE_FILE = 1 << 1,
    APUS_RIGHT_READ_FILE = 1 << 2,
    APUS_RIGHT_READ_DIRECTORY = 1 << 3,
    APUS_RIGHT_TRUNCATE = 1 << 14,
    APUS_RIGHT_DEVICE_CONTROL = 1 << 15,
};
/// Of TCP ports.
enum apus_port_right { APUS_PORT_LISTEN = 1 << 0, APUS_PORT_CONNECT = 1 << 1 };

/// The kernel's Landlock ABI; 0 where there is none.
int apus_landlock_abi(void);
/// Every file right that `abi` can handle.
uint64_t apus_file_rights(int abi);
/// A ruleset that denies what it handles, or -errno. `scopes`: also signals to, and abstract sockets of, processes outside.
int apus_ruleset(uint64_t files, uint64_t ports, int scopes);
/// Those of `rights` that what `path` is can have: a file has fewer than a directory.
uint64_t apus_fitting_rights(int path, uint64_t rights);
/// Grants `rights` on `path`, and on what is below it when it is a directory. Returns 0 or -errno; -EINVAL where they do
/// not fit.
int apus_ruleset_grant(int ruleset, int path, uint64_t rights);
/// Returns 0 or -errno.
int apus_ruleset_grant_port(int ruleset, uint16_t port, uint64_t rights);
/// Opens `path` for a rule, following links; close-on-exec. Or -errno.
int apus_open_path(const char *path);

// MARK: What Landlock has refused (the kernel's Documentation/admin-guide/LSM/landlock.rst)

/// Types of audit records.
enum apus_audit_type { APUS_AUDIT_LANDLOCK_ACCESS = 1423, APUS_AUDIT_LANDLOCK_DOMAIN = 1424 };

/// A socket to which the kernel's audit records of these types come, while it audits; close-on-exec. -errno where this
/// process may not hear of them, or not know whom they are about.
int apus_audit_open(void);
/// Waits for the next one. Returns the length of its text, which is cut at `capacity`, or -errno; -ENOBUFS when some were
/// lost.
ssize_t apus_audit_receive(int descriptor, uint16_t *type, void *text, size_t capacity);

// MARK: The filter of system calls (seccomp(2))

enum apus_network { APUS_NETWORK_FULL, APUS_NETWORK_LOOPBACK, APUS_NETWORK_NONE };

/// What a filter refuses. It is set on a thread, and what that thread starts inherits it.
struct apus_filter {
    /// Calls that no handler needs: mounts, tracing, kernel modules, keys, namespaces...
    int calls;
    /// Whether the listener hears of processes that leave the worker's process group.
    int processes;
    /// One of `apus_network`.
    int network;
    /// Whether programs lose every capability.
    int privileges;
    /// Marks the host's own calls in a register that the call does not use; secret.
    uint64_t cookie;
};

struct apus_filter_outcome {
    /// On which refused calls are answered; -1 for a filter that needs none.
    int listener;
    /// An errno, or 0.
    int error;
    /// The call that failed with `error`.
    const char *step;
};

/// Whether filters, and with them listeners that may let a call go on, are there (Linux 5.5).
int apus_has_listeners(void);
/// Whether a listener can answer with a socket (Linux 5.14).
int apus_has_socket_answers(void);
/// Puts the calling thread under `filter`, for good.
struct apus_filter_outcome apus_filter_enter(const struct apus_filter *filter);
/// Whether root's programs can be kept from having capabilities: the thread may drop them, or has none.
int apus_can_drop_capabilities(void);

// MARK: Answering calls

enum apus_notice_kind {
    APUS_NOTICE_REFUSED,
    APUS_NOTICE_LEAVING,
    /// A process that is to be a child of the caller's parent.
    APUS_NOTICE_SIBLING,
    APUS_NOTICE_SOCKET,
    APUS_NOTICE_FOREIGN_SOCKET,
    APUS_NOTICE_CONNECT,
};

/// A call that waits for its answer.
struct apus_notice {
    uint64_t id;
    /// The thread that calls.
    pid_t task;
    /// One of `apus_notice_kind`.
    int kind;
    /// Name of the call.
    const char *name;
    uint64_t arguments[6];
};

/// Waits for the next one. Returns 0 or -errno; ENOENT when the caller has gone meanwhile.
int apus_notice_receive(int listener, struct apus_filter filter, struct apus_notice *notice);
/// Lets the call go on (`error` 0) or fail with `error`.
void apus_notice_answer(int listener, const struct apus_notice *notice, int error);
/// Answers `socket(2)` with a TCP socket that is bound to the loopback device.
void apus_notice_answer_socket(int listener, const struct apus_notice *notice);

/// Where `connect(2)` wants to go. Only for the log and a quick answer: the caller can change it afterwards.
struct apus_peer {
    /// Whether it is an address of the Internet families that could be read.
    int is_known;
    int is_loopback;
    uint16_t port;
    /// Address and port, for people.
    char text[64];
};
struct apus_peer apus_notice_peer(const struct apus_notice *notice);

// MARK: The processes of a worker

/// A process that carries a mark: an obsolete resource limit (RLIMIT_LOCKS) that children inherit, that no process can
/// raise, and that the filter keeps from being lowered.
struct apus_process {
    pid_t pid;
    uint64_t mark;
    /// Threads.
    uint64_t tasks;
    /// Bytes resident, shared ones included.
    uint64_t resident;
    int is_stopped;
    /// It has ended, and takes a number until it is reaped.
    int is_zombie;
};

/// The mark of process or thread `pid`; 0 for none.
uint64_t apus_mark(pid_t pid);
/// Lists the processes that carry a mark. Returns how many there are, which may be more than `capacity`.
size_t apus_processes(struct apus_process *list, size_t capacity);
/// Some marks: all that are the same as `value` in the bits of `mask`.
struct apus_marks {
    uint64_t value;
    uint64_t mask;
};
/// Kills every process that carries one of `marks`, until none is left or it has tried often enough. Returns how many it
/// killed.
size_t apus_kill_marked(struct apus_marks marks);
/// Makes process `pid`, which a worker with `mark` has made for the host, a worker by itself: in a process group of its
/// own, and with a lower mark. Returns a descriptor that becomes readable when it has ended, close-on-exec; -ECHILD when it
/// is nothing of the kind, or another -errno.
int apus_take_over(pid_t pid, uint64_t mark, uint64_t own);
/// Ends and reaps the children of this process that carry `mark`.
void apus_reap_marked(uint64_t mark);
/// The number of the process or thread that was made last on this machine (proc_loadavg(5)).
uint64_t apus_last_process(void);
/// Lets the calling thread run before others, where the host's user may (setpriority(2)).
void apus_prefer_thread(void);
/// Bytes resident of `pid`, shared ones in proportion (smaps_rollup); 0 when that cannot be read.
uint64_t apus_proportional_size(pid_t pid);
/// Bytes resident of `pid` (statm); 0 when it has gone.
uint64_t apus_resident_size(pid_t pid);

#endif
