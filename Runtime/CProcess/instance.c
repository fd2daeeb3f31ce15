#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { most = 8 };

ssize_t apus_send_descriptors(int socket, const void *bytes, size_t size, const int *descriptors, int count) {
    if (count > most) return -EINVAL;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(most * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(item), descriptors, (size_t)count * sizeof(int));
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int apus_pidfd_open(pid_t pid) {
    // Close-on-exec without being asked to (pidfd_open(2)).
    const int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int apus_stamp_empty_folder(const char *path, struct apus_folder_stamp *stamp) {
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return -errno;
    struct stat status = {0};
    int outcome = fstat(folder, &status) < 0 ? -errno : 0;
    // Room for `.` and `..`, and to see that there is more.
    char entries[256];
    const long size = outcome < 0 ? 0 : syscall(SYS_getdents64, folder, entries, sizeof entries);
    if (size < 0) outcome = -errno;
    // Each of the two takes 24 bytes (getdents(2)): an 8-byte inode, an 8-byte offset, length, type, name, padding.
    else if (outcome == 0 && size > 48) outcome = -ENOTEMPTY;
    close(folder);
    *stamp = (struct apus_folder_stamp){
        .seconds = status.st_ctim.tv_sec, .nanoseconds = status.st_ctim.tv_nsec, .inode = status.st_ino};
    return outcome;
}
