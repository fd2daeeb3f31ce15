#define _GNU_SOURCE
#include "CProcess.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/// Records carry the numbers that processes have in the first namespace (PROC_PID_INIT_INO of the kernel).
static int knows_process_numbers(void) {
    static const char first[] = "pid:[4026531836]";
    char text[64];
    const ssize_t length = readlink("/proc/self/ns/pid", text, sizeof text);
    return length == sizeof first - 1 && memcmp(text, first, sizeof first - 1) == 0;
}

/// Records come to sockets of the first network namespace alone, though others can be bound too. Not every user may look.
static int may_be_in_first_network(void) {
    struct stat first, own;
    if (stat("/proc/1/ns/net", &first) < 0 || stat("/proc/self/ns/net", &own) < 0) return 1;
    return first.st_dev == own.st_dev && first.st_ino == own.st_ino;
}

/// All other records are dropped in the kernel: they do not wake the host.
static int hear_of_landlock_alone(int descriptor) {
    // The filter loads in network byte order what the kernel has in its own.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(APUS_AUDIT_LANDLOCK_ACCESS), 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(APUS_AUDIT_LANDLOCK_DOMAIN), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int apus_audit_open(void) {
    if (!knows_process_numbers() || !may_be_in_first_network()) return -EPERM;
    const int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    if (descriptor < 0) return -errno;
    // Room for about a thousand records; less where the system does not give it.
    const int room = 1 << 20;
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1 << (AUDIT_NLGRP_READLOG - 1)};
    if (hear_of_landlock_alone(descriptor) == 0
        && bind(descriptor, (const struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    const int error = errno;
    close(descriptor);
    return -error;
}

ssize_t apus_audit_receive(int descriptor, uint16_t *type, void *text, size_t capacity) {
    struct nlmsghdr header;
    struct sockaddr_nl sender = {0};
    struct iovec parts[] = {{&header, sizeof header}, {text, capacity}};
    struct msghdr message = {
        .msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = parts, .msg_iovlen = 2};
    const ssize_t count = recvmsg(descriptor, &message, 0);
    if (count < 0) return -errno;
    // Not the header's length, which older kernels give without the header's own. Only the kernel has number 0.
    if (count < (ssize_t)sizeof header || sender.nl_pid != 0) return 0;
    *type = header.nlmsg_type;
    return count - (ssize_t)sizeof header;
}
