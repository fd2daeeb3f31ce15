#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's interface, of which the headers that are installed may know only the beginning.
struct ruleset_attributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
struct port_rule {
    uint64_t allowed_access;
    uint64_t port;
};
enum { rule_path_beneath = 1, rule_net_port = 2, scope_abstract_sockets = 1 << 0, scope_signals = 1 << 1 };
static const uint64_t file_only = APUS_RIGHT_EXECUTE | APUS_RIGHT_WRITE_FILE | APUS_RIGHT_READ_FILE
    | APUS_RIGHT_TRUNCATE | APUS_RIGHT_DEVICE_CONTROL;

int apus_landlock_abi(void) {
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

uint64_t apus_file_rights(int abi) {
    if (abi < 1) return 0;
    uint64_t rights = (1 << 13) - 1;
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= APUS_RIGHT_TRUNCATE;
    if (abi >= 5) rights |= APUS_RIGHT_DEVICE_CONTROL;
    return rights;
}

int apus_ruleset(uint64_t files, uint64_t ports, int scopes) {
    const struct ruleset_attributes attributes = {
        .handled_access_fs = files, .handled_access_net = ports,
        .scoped = scopes ? scope_abstract_sockets | scope_signals : 0};
    // Older kernels take the longer structure too, as long as what they do not know is zero.
    const long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    return ruleset < 0 ? -errno : (int)ruleset;
}

uint64_t apus_fitting_rights(int path, uint64_t rights) {
    struct stat status;
    // A device is controlled by whoever is granted that very device, and not a folder around it.
    return fstat(path, &status) == 0 && S_ISDIR(status.st_mode) ? rights & ~(uint64_t)APUS_RIGHT_DEVICE_CONTROL
                                                                : rights & file_only;
}

int apus_ruleset_grant(int ruleset, int path, uint64_t rights) {
    const struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = path};
    return syscall(SYS_landlock_add_rule, ruleset, rule_path_beneath, &rule, 0) < 0 ? -errno : 0;
}

int apus_ruleset_grant_port(int ruleset, uint16_t port, uint64_t rights) {
    const struct port_rule rule = {.allowed_access = rights, .port = port};
    return syscall(SYS_landlock_add_rule, ruleset, rule_net_port, &rule, 0) < 0 ? -errno : 0;
}

int apus_open_path(const char *path) {
    const int descriptor = open(path, O_PATH | O_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}
