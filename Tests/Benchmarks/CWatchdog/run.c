#define _GNU_SOURCE
#include "CWatchdog.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int write_all(int file, const char *bytes, size_t count) {
    while (count > 0) {
        const ssize_t written = write(file, bytes, count);
        if (written < 0) return -1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

ssize_t watchdog_run(char *const *command, const char *body, size_t size, char *output, size_t most) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execve(command[0], command, environ);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    write_all(in[1], body, size);
    close(in[1]);
    ssize_t count = 0, part;
    while (count < (ssize_t)most && (part = read(out[0], output + count, most - (size_t)count)) > 0) count += part;
    close(out[0]);
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) return -1;
    return count;
}
