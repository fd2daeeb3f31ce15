#define _GNU_SOURCE
#include "CFork.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { most = 16 };

ssize_t apus_receive(int socket, void *buffer, size_t size, int *descriptors, int capacity, int *count, int flags) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(most * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *count = 0;
    ssize_t received;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    while (received < 0 && errno == EINTR);
    if (received < 0) return -errno;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item != NULL; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        const int here = (int)((item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < here; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(item) + (size_t)index * sizeof(int), sizeof descriptor);
            if (*count < capacity) descriptors[(*count)++] = descriptor;
            else close(descriptor);
        }
    }
    if (message.msg_flags & MSG_CTRUNC) {
        // There was no room for one in the table of descriptors.
        while (*count > 0) close(descriptors[--*count]);
        return -EMFILE;
    }
    return received;
}

pid_t apus_fork_sibling(const int descriptors[3]) {
    const pid_t parent = getppid();
    // Where the C library keeps the number of its thread. Kernels that cannot tell (no CONFIG_CHECKPOINT_RESTORE) leave
    // the copy with the original's number there, which matters to robust and priority-inheriting mutexes alone.
    int *thread = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &thread, 0, 0, 0) < 0) thread = NULL;
    // fork(2) itself could not make a sibling. All arguments but the first are 0, so that their order, which differs
    // between architectures, does not matter.
    const long child = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0, 0, 0, 0);
    if (child < 0) return -errno;
    if (child > 0) return (pid_t)child;
    if (thread != NULL) *thread = (int)syscall(SYS_set_tid_address, thread);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) _exit(127);
    // The host may have died before the line above.
    if (getppid() != parent) _exit(127);
    const int places[3] = {3, 1, 2};
    for (int index = 0; index < 3; index++) {
        if (dup2(descriptors[index], places[index]) < 0) _exit(127);
        close(descriptors[index]);
    }
    return 0;
}
