#ifndef APUS_INSTANCE_H
#define APUS_INSTANCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Sends bytes, and with them descriptors, at most 8, over a Unix socket, without waiting. Returns how many bytes were
/// taken, or -errno; the descriptors have gone with the first.
ssize_t apus_send_descriptors(int socket, const void *bytes, size_t size, const int *descriptors, int count);

/// A descriptor that becomes readable when process `pid`, a child, has ended; close-on-exec. -errno on failure.
int apus_pidfd_open(pid_t pid);

/// When a directory was last changed: what is in it, its permissions, its attributes.
struct apus_folder_stamp {
    int64_t seconds;
    int64_t nanoseconds;
    uint64_t inode;
};

/// Describes a directory that is empty. Returns 0 or -errno; -ENOTEMPTY when there is something in it.
int apus_stamp_empty_folder(const char *path, struct apus_folder_stamp *stamp);

#endif
