#ifndef CWATCHDOG_H
#define CWATCHDOG_H

#include <sys/types.h>

/// Runs a program by the book: pipe, fork, execve, write the body, which fits into the pipe, read the output, waitpid.
/// Returns the size of the output, at most `most`; -1 when the program failed.
ssize_t watchdog_run(char *const *command, const char *body, size_t size, char *output, size_t most);

#endif
