// An open loop over HTTP/1.1: requests are due at fixed intervals, whether or not the server keeps up, and each latency
// counts from the moment at which its request was due. A server that pauses therefore shows it in every request that
// fell due meanwhile (the coordinated omission of a closed loop, where nobody asks while all wait).
//
// Usage: load PORT PATH REQUESTS_A_SECOND SECONDS CONNECTIONS
// Prints {"requests": N, "p50": …, "p99": …, "p99.9": …, "max": …}, latencies in milliseconds. Exits with 1 when a request
// fails or is not answered 5 s after the last was due.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { most_connections = 1024, buffer_size = 1 << 16 };
static const uint64_t second = 1000000000, warm_up = 200000000, patience = 5000000000;

struct connection {
    int socket;
    uint64_t due;  // of the request that it waits for
    size_t filled;
    char buffer[buffer_size];
};

static struct connection connections[most_connections];
static struct connection *idle[most_connections];
static int idle_count, poll_file;
static char request[2048];
static size_t request_size;

static void fail(const char *reason) {
    fprintf(stderr, "load: %s\n", reason);
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * second + (uint64_t)time.tv_nsec;
}

// A histogram with 128 buckets for each power of two of nanoseconds: less than 1 % off.
enum { digits = 7, buckets = (65 - digits) << digits };
static uint64_t counts[buckets], total, greatest;

static void record(uint64_t value) {
    const int shift = value >> (digits + 1) ? 63 - digits - __builtin_clzll(value) : 0;
    counts[((uint64_t)shift << digits) + (value >> shift)]++;
    total++;
    if (value > greatest) greatest = value;
}

/// The latency in milliseconds that `share` of the requests did not exceed.
static double percentile(double share) {
    uint64_t seen = 0;
    for (uint64_t index = 0; index < buckets; index++) {
        seen += counts[index];
        if ((double)seen < share * (double)total) continue;
        const uint64_t shift = index >> (digits + 1) ? (index >> digits) - 1 : 0;
        return (double)((index - (shift << digits)) << shift) / 1e6;
    }
    return (double)greatest / 1e6;
}

static void open_connections(int port, int count) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int yes = 1;
    for (int index = 0; index < count; index++) {
        struct connection *connection = &connections[index];
        connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0) fail("cannot connect");
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(poll_file, EPOLL_CTL_ADD, connection->socket, &event) < 0) fail("cannot poll");
        idle[idle_count++] = connection;
    }
}

static void send_request(uint64_t due) {
    struct connection *connection = idle[--idle_count];
    connection->due = due;
    // It fits into the socket's buffer, which is empty.
    if (write(connection->socket, request, request_size) != (ssize_t)request_size) fail("cannot send");
}

/// Whether the whole response is there; it is taken out of the buffer.
static int take_response(struct connection *connection) {
    connection->buffer[connection->filled] = 0;
    const char *end = strstr(connection->buffer, "\r\n\r\n");
    if (end == NULL) return 0;
    if (strncmp(connection->buffer, "HTTP/1.1 200 ", 13) != 0) fail(connection->buffer);
    const char *field = strcasestr(connection->buffer, "\r\ncontent-length:");
    if (field == NULL || field > end) fail("a response without Content-Length");
    const size_t size = (size_t)(end + 4 - connection->buffer) + strtoul(field + 17, NULL, 10);
    if (size >= buffer_size) fail("a response that is too long");
    if (connection->filled < size) return 0;
    connection->filled = 0;
    return 1;
}

static void receive(struct connection *connection, uint64_t counted_from) {
    char *free_part = connection->buffer + connection->filled;
    const ssize_t count = read(connection->socket, free_part, buffer_size - 1 - connection->filled);
    if (count <= 0) fail("a connection was closed");
    connection->filled += (size_t)count;
    if (!take_response(connection)) return;
    if (connection->due >= counted_from) record(now() - connection->due);
    idle[idle_count++] = connection;
}

/// Waits for responses, at most until `time`.
static void wait_until(uint64_t time, uint64_t counted_from) {
    const uint64_t current = now(), left = time > current ? time - current : 0;
    const struct timespec limit = {(time_t)(left / second), (long)(left % second)};
    struct epoll_event events[64];
    const int count = epoll_pwait2(poll_file, events, 64, &limit, NULL);
    if (count < 0 && errno != EINTR) fail("cannot wait");
    for (int index = 0; index < count; index++) receive(events[index].data.ptr, counted_from);
}

int main(int count, char **arguments) {
    if (count != 6) return 64;
    const double rate = atof(arguments[3]), seconds = atof(arguments[4]);
    const int connection_count = atoi(arguments[5]);
    if (rate <= 0 || seconds <= 0 || connection_count < 1 || connection_count > most_connections) return 64;
    request_size = (size_t)snprintf(
        request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n", arguments[2], arguments[1]);
    if (request_size >= sizeof request) return 64;
    // Else the kernel wakes us up to 50 us late.
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
    poll_file = epoll_create1(EPOLL_CLOEXEC);
    open_connections(atoi(arguments[1]), connection_count);

    const uint64_t start = now(), counted_from = start + warm_up;
    const uint64_t requests = (uint64_t)(rate * (seconds + (double)warm_up / 1e9));
    const double interval = 1e9 / rate;
    uint64_t sent = 0, due = start;
    while (sent < requests || idle_count < connection_count) {
        const uint64_t current = now();
        while (sent < requests && due <= current && idle_count > 0) {
            send_request(due);
            due = start + (uint64_t)((double)++sent * interval);
        }
        const int is_waiting_for_time = sent < requests && idle_count > 0;
        const uint64_t end = start + (uint64_t)((double)requests * interval) + patience;
        if (current > end) fail("requests are not answered in time");
        wait_until(is_waiting_for_time ? due : end, counted_from);
    }
    printf("{\"requests\": %lu, \"p50\": %.4f, \"p99\": %.4f, \"p99.9\": %.4f, \"max\": %.4f}\n",
           total, percentile(0.5), percentile(0.99), percentile(0.999), (double)greatest / 1e6);
}
