// A yardstick for a process per request: the least HTTP/1.1 server that runs a program for each, with a thread per
// connection. It checks nothing, limits nothing and logs nothing.
//
// Usage: watchdog PORT PROGRAM [ARGUMENT…]
#define _GNU_SOURCE
#include "CWatchdog.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most = 1 << 20 };

static char **command;

static int write_all(int file, const char *bytes, size_t count) {
    while (count > 0) {
        const ssize_t written = write(file, bytes, count);
        if (written < 0) return -1;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static void *serve(void *argument) {
    const int client = (int)(long)argument;
    char *input = malloc(2 * most), *output = malloc(most + 256);
    size_t filled = 0;
    for (;;) {
        char *end;
        input[filled] = 0;
        while ((end = strstr(input, "\r\n\r\n")) == NULL) {
            const ssize_t count = read(client, input + filled, most - filled);
            if (count <= 0) goto done;
            filled += (size_t)count;
            input[filled] = 0;
        }
        const char *field = strcasestr(input, "content-length:");
        const size_t size = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0;
        const size_t head = (size_t)(end - input) + 4;
        if (size > most) break;
        while (filled < head + size) {
            const ssize_t count = read(client, input + filled, head + size - filled);
            if (count <= 0) goto done;
            filled += (size_t)count;
        }
        const ssize_t count = watchdog_run(command, input + head, size, output + 256, most);
        char text[256];
        const int length = snprintf(
            text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zd\r\n\r\n",
            count < 0 ? "502 Bad Gateway" : "200 OK", count < 0 ? 0 : count);
        memcpy(output + 256 - length, text, (size_t)length);
        if (write_all(client, output + 256 - length, (size_t)(length + (count < 0 ? 0 : count))) < 0) break;
        filled -= head + size;
        memmove(input, input + head + size, filled);
    }
done:
    close(client);
    free(input);
    free(output);
    return NULL;
}

int main(int count, char **arguments) {
    if (count < 3) return 64;
    command = arguments + 2;
    signal(SIGPIPE, SIG_IGN);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0) return 69;
    for (;;) {
        const int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(long)client) == 0) pthread_detach(thread);
        else close(client);
    }
}
