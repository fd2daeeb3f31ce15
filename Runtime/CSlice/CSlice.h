#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// sched_setattr(2), which Debian 12's C library does not have, and which Swift, which has no variadic functions of C, cannot
// reach through syscall(2).

/// `struct sched_attr` of sched_setattr(2), as of its first version.
struct apus_sched_attr {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

/// Both return 0, or -1 and an errno. `thread` 0 is the calling one.
static inline int apus_get_scheduling(pid_t thread, struct apus_sched_attr *attributes) {
    return (int)syscall(SYS_sched_getattr, thread, attributes, sizeof *attributes, 0);
}

static inline int apus_set_scheduling(pid_t thread, struct apus_sched_attr *attributes) {
    return (int)syscall(SYS_sched_setattr, thread, attributes, 0);
}
