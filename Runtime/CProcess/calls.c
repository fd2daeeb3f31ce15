#define _GNU_SOURCE
#include "calls.h"

#include <sys/syscall.h>

// Of kernels younger than the headers; the numbers are the same on every architecture.
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

#define CALL(name) {SYS_##name, #name}

const struct apus_call apus_refused[] = {
    // What is mounted where.
    CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(move_mount), CALL(open_tree),
    CALL(open_tree_attr), CALL(fsopen), CALL(fsconfig), CALL(fsmount), CALL(fspick), CALL(mount_setattr),
    CALL(swapon), CALL(swapoff), CALL(quotactl), CALL(quotactl_fd), CALL(fanotify_init),
    // Around path lookup, and with it around file rules.
    CALL(open_by_handle_at),
    // Other processes.
    CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp), CALL(pidfd_getfd),
    CALL(process_madvise), CALL(setns),
    // The kernel itself.
    CALL(kexec_load), CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(bpf), CALL(perf_event_open),
    CALL(userfaultfd), CALL(syslog), CALL(reboot), CALL(acct), CALL(vhangup),
#ifdef SYS_kexec_file_load
    CALL(kexec_file_load),
#endif
    // Its key ring, which knows no processes.
    CALL(add_key), CALL(request_key), CALL(keyctl),
    // Memory, messages and locks that outlive who made them, and are in no folder. (What POSIX calls shared memory and
    // semaphores are files in /dev/shm.)
    CALL(shmget), CALL(shmat), CALL(shmctl), CALL(msgget), CALL(msgsnd), CALL(msgrcv), CALL(msgctl), CALL(semget),
    CALL(semop), CALL(semtimedop), CALL(semctl), CALL(mq_open), CALL(mq_unlink),
    // Clocks and names of the machine.
    CALL(settimeofday), CALL(clock_settime), CALL(clock_adjtime), CALL(adjtimex), CALL(sethostname),
    CALL(setdomainname),
#ifdef __x86_64__
    // Hardware.
    CALL(iopl), CALL(ioperm), CALL(modify_ldt),
#endif
};

const size_t apus_refused_count = sizeof apus_refused / sizeof apus_refused[0];
