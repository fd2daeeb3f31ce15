#ifndef APUS_CALLS_H
#define APUS_CALLS_H

#include <linux/audit.h>
#include <sched.h>
#include <stddef.h>

/// A system call, and its name for the log.
struct apus_call {
    long number;
    const char *name;
};

/// Those that no handler needs.
extern const struct apus_call apus_refused[];
extern const size_t apus_refused_count;

#if defined(__x86_64__)
#define APUS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define APUS_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter of system calls is written for x86_64 and aarch64"
#endif

/// Flags of clone(2) and unshare(2) for new namespaces.
#define APUS_NEW_NAMESPACES                                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#endif
