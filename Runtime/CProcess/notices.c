#define _GNU_SOURCE
#include "CProcess.h"
#include "calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_plain_tcp(const uint64_t *arguments) {
    const int family = (int)arguments[0], type = (int)arguments[1], protocol = (int)arguments[2];
    return (family == AF_INET || family == AF_INET6) && (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM
        && (protocol == 0 || protocol == IPPROTO_TCP);
}

static void classify(struct apus_notice *notice, long number, const struct apus_filter *filter) {
    notice->kind = APUS_NOTICE_REFUSED;
    notice->name = number == SYS_unshare ? "unshare" : "a system call";
    for (size_t index = 0; index < apus_refused_count; index++) {
        if (apus_refused[index].number == number) notice->name = apus_refused[index].name;
    }
    switch (number) {
    case SYS_clone:
        notice->name = "clone";
        if ((notice->arguments[0] & APUS_NEW_NAMESPACES) == 0) notice->kind = APUS_NOTICE_SIBLING;
        break;
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg: notice->name = "TCP Fast Open"; break;
    case SYS_setsid:
    case SYS_setpgid:
        notice->name = "setsid";
        notice->kind = APUS_NOTICE_LEAVING;
        break;
    case SYS_socket:
        notice->name = "socket";
        notice->kind = filter->network == APUS_NETWORK_LOOPBACK && is_plain_tcp(notice->arguments)
            ? APUS_NOTICE_SOCKET : APUS_NOTICE_FOREIGN_SOCKET;
        break;
    case SYS_connect:
        notice->name = "connect";
        notice->kind = APUS_NOTICE_CONNECT;
        break;
    default: break;
    }
}

int apus_notice_receive(int listener, struct apus_filter filter, struct apus_notice *notice) {
    // What the kernel fills in may be longer than what the headers know.
    union {
        struct seccomp_notif notice;
        char room[256];
    } received;
    memset(&received, 0, sizeof received);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &received) < 0) return -errno;
    *notice = (struct apus_notice){.id = received.notice.id, .task = (pid_t)received.notice.pid};
    for (int index = 0; index < 6; index++) notice->arguments[index] = received.notice.data.args[index];
    classify(notice, received.notice.data.nr, &filter);
    return 0;
}

static void answer(int listener, uint64_t id, int64_t value, int error, uint32_t flags) {
    union {
        struct seccomp_notif_resp response;
        char room[256];
    } sent;
    memset(&sent, 0, sizeof sent);
    sent.response = (struct seccomp_notif_resp){.id = id, .val = value, .error = -error, .flags = flags};
    // Fails when the caller has gone meanwhile.
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &sent);
}

void apus_notice_answer(int listener, const struct apus_notice *notice, int error) {
    answer(listener, notice->id, 0, error, error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0);
}

/// A TCP socket that reaches this machine alone: what it sends leaves through the loopback device, or not at all. The
/// filter keeps the program from undoing that.
static int loopback_socket(const uint64_t *arguments) {
    const int descriptor = socket((int)arguments[0], (int)arguments[1] | SOCK_CLOEXEC, (int)arguments[2]);
    if (descriptor < 0) return -errno;
    if (setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") == 0) return descriptor;
    const int error = errno;
    close(descriptor);
    return -error;
}

void apus_notice_answer_socket(int listener, const struct apus_notice *notice) {
    const int descriptor = loopback_socket(notice->arguments);
    if (descriptor < 0) {
        apus_notice_answer(listener, notice, -descriptor);
        return;
    }
    struct seccomp_notif_addfd given = {
        .id = notice->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)descriptor,
        .newfd_flags = (notice->arguments[1] & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given) < 0) apus_notice_answer(listener, notice, errno);
    close(descriptor);
}

struct apus_peer apus_notice_peer(const struct apus_notice *notice) {
    struct apus_peer peer = {0};
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {0};
    size_t length = notice->arguments[2];
    if (length > sizeof address) length = sizeof address;
    const struct iovec here = {&address, length};
    const struct iovec there = {(void *)(uintptr_t)notice->arguments[1], length};
    const ssize_t count = process_vm_readv(notice->task, &here, 1, &there, 1, 0);
    char text[INET6_ADDRSTRLEN] = "";
    if (count >= (ssize_t)sizeof address.four && address.any.sa_family == AF_INET) {
        const uint32_t number = ntohl(address.four.sin_addr.s_addr);
        peer.is_loopback = number == INADDR_ANY || number >> 24 == 127;
        peer.port = ntohs(address.four.sin_port);
        inet_ntop(AF_INET, &address.four.sin_addr, text, sizeof text);
        snprintf(peer.text, sizeof peer.text, "%s:%u", text, peer.port);
    } else if (count >= 24 && address.any.sa_family == AF_INET6) {
        const struct in6_addr *six = &address.six.sin6_addr;
        peer.is_loopback = IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six)
            || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
        peer.port = ntohs(address.six.sin6_port);
        inet_ntop(AF_INET6, six, text, sizeof text);
        snprintf(peer.text, sizeof peer.text, "[%s]:%u", text, peer.port);
    }
    peer.is_known = peer.text[0] != 0;
    return peer;
}
