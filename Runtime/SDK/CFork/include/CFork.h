#ifndef APUS_CFORK_H
#define APUS_CFORK_H

#include <sys/types.h>

/// Reads at most `size` bytes from a Unix socket, and the descriptors that came with them: at most `capacity`, close-on-
/// exec; none of them where this process can have no more: -EMFILE. `flags` as for recvmsg(2). Returns how many bytes, 0 at
/// the end of the stream, or -errno.
ssize_t apus_receive(int socket, void *buffer, size_t size, int *descriptors, int capacity, int *count, int flags);

/// Copies this process, which must have one thread. The copy is a child of this process's own parent, dies with it, and
/// has `descriptors` as its 3, 1 and 2. Returns 0 in the copy; in the original the copy's number, or -errno.
pid_t apus_fork_sibling(const int descriptors[3]);

#endif
