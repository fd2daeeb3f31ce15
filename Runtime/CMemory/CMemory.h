#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

// memfd_create(2) and its seals, which Glibc's module lacks; of fcntl(2) for them it has no more.

// Since Linux 6.3.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif

enum {
    APUS_SEAL_SEALS = 0x01,
    APUS_SEAL_SIZE = 0x02 | 0x04,
    /// But through what is mapped already.
    APUS_SEAL_WRITES = 0x10,
};

/// Memory that is all zero, of `size` bytes. Close-on-exec. Returns its descriptor, or -errno.
static inline int apus_make_memory(size_t size) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int descriptor = (int)syscall(SYS_memfd_create, "apus", flags | MFD_NOEXEC_SEAL);
    if (descriptor < 0 && errno == EINVAL) descriptor = (int)syscall(SYS_memfd_create, "apus", flags);
    if (descriptor < 0) return -errno;
    if (ftruncate(descriptor, (off_t)size) < 0) {
        const int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

/// Forbids for ever what `seals` say. Returns 0 or -errno.
static inline int apus_seal_memory(int descriptor, int seals) {
    return fcntl(descriptor, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}
