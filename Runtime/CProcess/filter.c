#define _GNU_SOURCE
#include "CProcess.h"
#include "calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { most_instructions = 512, first_x32_call = 0x40000000 };

/// A classic BPF program that grows: the accumulator holds the number of the call at the start of each block, and each
/// block that a call enters ends with a return.
struct program {
    struct sock_filter code[most_instructions];
    unsigned short length;
    uint32_t refuse;
};

static void put(struct program *program, uint16_t code, uint8_t yes, uint8_t no, uint32_t value) {
    if (program->length == most_instructions) return;
    program->code[program->length++] = (struct sock_filter){code, yes, no, value};
}

static void give(struct program *program, uint32_t action) { put(program, BPF_RET | BPF_K, 0, 0, action); }

/// Gives `action` where the accumulator is `value`.
static void give_if(struct program *program, uint32_t value, uint32_t action) {
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    give(program, action);
}

/// Gives `action` where the accumulator has any bit of `mask`.
static void give_if_any(struct program *program, uint32_t mask, uint32_t action) {
    put(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, mask);
    give(program, action);
}

static void give_unless(struct program *program, uint32_t value, uint32_t action) {
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value);
    give(program, action);
}

/// Begins what is for call `number` alone; `end` closes it.
static unsigned short begin(struct program *program, long number) {
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, (uint32_t)number);
    return program->length;
}

static void end(struct program *program, unsigned short start) {
    program->code[start - 1].jf = (uint8_t)(program->length - start);
}

// Both architectures are little-endian.
static void load_low(struct program *program, int argument) {
    put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args) + 8 * (uint32_t)argument);
}

static void load_high(struct program *program, int argument) {
    put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args) + 8 * (uint32_t)argument + 4);
}

/// Allows the call when `argument` is the host's secret.
static void allow_host(struct program *program, int argument, uint64_t cookie) {
    load_low(program, argument);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (uint32_t)cookie);
    load_high(program, argument);
    give_if(program, (uint32_t)(cookie >> 32), SECCOMP_RET_ALLOW);
}

static void begin_program(struct program *program) {
    put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    give_unless(program, APUS_ARCHITECTURE, SECCOMP_RET_ERRNO | EPERM);
    put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    // The x32 calls, which are other names of the same.
    put(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, first_x32_call);
    give(program, SECCOMP_RET_ERRNO | ENOSYS);
#endif
}

static void limit_processes(struct program *program, const struct apus_filter *filter) {
    // Who leaves the worker's process group is known by its mark alone, so that the host must look for it at the end.
    if (filter->processes) {
        const unsigned short group = begin(program, SYS_setpgid);
        allow_host(program, 5, filter->cookie);
        give(program, SECCOMP_RET_USER_NOTIF);
        end(program, group);
        give_if(program, SYS_setsid, SECCOMP_RET_USER_NOTIF);
    }
    if (!filter->calls) return;
    // Its flags are in memory, which a filter cannot see. The C library falls back to clone.
    give_if(program, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    const unsigned short clone = begin(program, SYS_clone);
    load_low(program, 0);
    // A sibling is a child of the host, which must know of it to reap it.
    give_if_any(program, APUS_NEW_NAMESPACES | CLONE_PARENT, program->refuse);
    give(program, SECCOMP_RET_ALLOW);
    end(program, clone);
}

/// Limits of other processes, and the mark.
static void keep_limits(struct program *program, const struct apus_filter *filter) {
    const unsigned short limit = begin(program, SYS_prlimit64);
    allow_host(program, 5, filter->cookie);
    load_low(program, 2);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0);
    load_high(program, 2);
    give_if(program, 0, SECCOMP_RET_ALLOW);
    load_low(program, 0);
    give_unless(program, 0, SECCOMP_RET_ERRNO | EPERM);
    load_low(program, 1);
    give_if(program, RLIMIT_LOCKS, SECCOMP_RET_ERRNO | EPERM);
    give(program, SECCOMP_RET_ALLOW);
    end(program, limit);
    const unsigned short old = begin(program, SYS_setrlimit);
    load_low(program, 0);
    give_if(program, RLIMIT_LOCKS, SECCOMP_RET_ERRNO | EPERM);
    give(program, SECCOMP_RET_ALLOW);
    end(program, old);
}

static void refuse_calls(struct program *program) {
    for (size_t index = 0; index < apus_refused_count; index++) {
        give_if(program, (uint32_t)apus_refused[index].number, program->refuse);
    }
    // Programs try it and do without. It would go around the filter.
    give_if(program, SYS_io_uring_setup, SECCOMP_RET_ERRNO | EPERM);
    const unsigned short share = begin(program, SYS_unshare);
    load_low(program, 0);
    give_if_any(program, APUS_NEW_NAMESPACES | 0x80 /* CLONE_NEWTIME */, program->refuse);
    give(program, SECCOMP_RET_ALLOW);
    end(program, share);
}

/// MSG_FASTOPEN (tcp(7)) connects, and neither connect(2) nor Landlock's rules for it hear of that (Linux 6.18).
static void refuse_fast_open(struct program *program) {
    static const struct {
        long number;
        int flags;
    } calls[] = {{SYS_sendto, 3}, {SYS_sendmsg, 2}, {SYS_sendmmsg, 3}};
    for (size_t index = 0; index < sizeof calls / sizeof calls[0]; index++) {
        const unsigned short send = begin(program, calls[index].number);
        load_low(program, calls[index].flags);
        give_if_any(program, MSG_FASTOPEN, program->refuse);
        give(program, SECCOMP_RET_ALLOW);
        end(program, send);
    }
}

/// Which sockets can be made. Anything else, such as packets, virtual machines' sockets or the kernel's cryptography, is
/// for nobody.
static void limit_sockets(struct program *program, const struct apus_filter *filter) {
    const unsigned short make = begin(program, SYS_socket);
    load_low(program, 0);
    switch (filter->network) {
    case APUS_NETWORK_FULL:
        for (size_t index = 0; index < 4; index++) {
            static const int usual[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
            give_if(program, (uint32_t)usual[index], SECCOMP_RET_ALLOW);
        }
        break;
    case APUS_NETWORK_LOOPBACK:
        // Each is asked for; the listener gives TCP sockets that are bound to the loopback device.
    case APUS_NETWORK_NONE: break;
    }
    give(program, program->refuse);
    end(program, make);
    if (filter->network != APUS_NETWORK_LOOPBACK) return;
    give_if(program, SYS_connect, program->refuse);
    refuse_fast_open(program);
    const unsigned short option = begin(program, SYS_setsockopt);
    load_low(program, 1);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, SOL_SOCKET);
    load_low(program, 2);
    give_if(program, SO_BINDTODEVICE, SECCOMP_RET_ERRNO | EPERM);
    give_if(program, 62 /* SO_BINDTOIFINDEX */, SECCOMP_RET_ERRNO | EPERM);
    give(program, SECCOMP_RET_ALLOW);
    end(program, option);
}

int apus_has_listeners(void) {
    const uint32_t action = SECCOMP_RET_USER_NOTIF;
    struct utsname name;
    int major = 0, minor = 0;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) return 0;
    // That a call may go on, Linux 5.5, cannot be asked for.
    if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) return 0;
    return major > 5 || (major == 5 && minor >= 5);
}

int apus_has_socket_answers(void) {
    struct utsname name;
    int major = 0, minor = 0;
    if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) return 0;
    return apus_has_listeners() && (major > 5 || (major == 5 && minor >= 14));
}

static int effective_capabilities(struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

int apus_can_drop_capabilities(void) {
    struct __user_cap_data_struct data[2] = {0};
    if (effective_capabilities(data) < 0) return 0;
    const int has_none = data[0].permitted == 0 && data[1].permitted == 0;
    return has_none || (data[0].effective & (1U << CAP_SETPCAP)) != 0;
}

/// What programs could have is dropped from this thread's bounding set (capabilities(7)); the thread keeps its own.
static const char *drop_capabilities(void) {
    struct __user_cap_data_struct data[2] = {0};
    if (effective_capabilities(data) < 0) return "capget";
    if (data[0].permitted == 0 && data[1].permitted == 0) return NULL;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    data[0].inheritable = data[1].inheritable = 0;
    if (syscall(SYS_capset, &header, data) < 0) return "capset";
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return "prctl(PR_CAPBSET_DROP)";
    }
    return NULL;
}

struct apus_filter_outcome apus_filter_enter(const struct apus_filter *filter) {
    struct apus_filter_outcome outcome = {.listener = -1};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) outcome.step = "prctl(PR_SET_NO_NEW_PRIVS)";
    if (outcome.step == NULL && filter->privileges) outcome.step = drop_capabilities();
    if (outcome.step != NULL) {
        outcome.error = errno;
        return outcome;
    }
    const int listens = apus_has_listeners();
    struct program program = {.refuse = listens ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM};
    begin_program(&program);
    limit_processes(&program, filter);
    keep_limits(&program, filter);
    if (filter->calls) refuse_calls(&program);
    if (filter->calls || filter->network != APUS_NETWORK_FULL) limit_sockets(&program, filter);
    give(&program, SECCOMP_RET_ALLOW);
    const struct sock_fprog code = {.len = program.length, .filter = program.code};
    // Without SPEC_ALLOW, kernels before 5.16 slow down what they run; programs of the operator need no such guard.
    const unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | (listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
    const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &code);
    if (result < 0) {
        outcome.error = errno;
        outcome.step = "seccomp";
    } else if (listens) {
        outcome.listener = (int)result;
    }
    return outcome;
}
