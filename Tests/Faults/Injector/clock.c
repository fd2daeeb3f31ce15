// A wall clock of the process's own: it starts at a time that the environment names, and may run faster than the real
// one. What durations are measured by stays real.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000 };

/// Nanoseconds since 1970: of the real clock and of the own one, at the same moment.
static int64_t real_start, own_start;
/// 0: the real clock is the process's.
static int64_t speed;

static int64_t nanoseconds(struct timespec time) { return (int64_t)time.tv_sec * SECOND + time.tv_nsec; }

static struct timespec timespec_of(int64_t time) { return (struct timespec){time / SECOND, time % SECOND}; }

static int64_t real_now(void) {
    struct timespec time;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &time);
    return nanoseconds(time);
}

static int64_t own_now(void) {
    int64_t now = real_now();
    return speed ? own_start + (now - real_start) * speed : now;
}

/// The environment says `START SPEED`: seconds since 1970, and how many seconds pass in a real one.
__attribute__((constructor)) static void start(void) {
    const char *text = getenv("APUS_FAULTS_CLOCK");
    if (!text) return;
    char *end;
    own_start = strtoll(text, &end, 10) * SECOND;
    real_start = real_now();
    speed = strtoll(end, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!speed || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return (int)syscall(SYS_clock_gettime, clock, time);
    *time = timespec_of(own_now());
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now = timespec_of(own_now());
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result) {
    time_t now = own_now() / SECOND;
    if (result) *result = now;
    return now;
}

int timerfd_settime(int timer, int flags, const struct itimerspec *new, struct itimerspec *old) {
    struct itimerspec real = *new;
    // Only what Apus asks for: a time, once. A time too far away for nanoseconds comes never, on either clock.
    if (speed && flags & TFD_TIMER_ABSTIME && new->it_value.tv_sec < INT64_MAX / SECOND)
        real.it_value = timespec_of(real_start + (nanoseconds(new->it_value) - own_start) / speed + 1);
    return (int)syscall(SYS_timerfd_settime, timer, flags, &real, old);
}
