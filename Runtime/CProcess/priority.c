#define _GNU_SOURCE
#include "CProcess.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// A task under SCHED_IDLE gives way at once to any other that wakes up. A nice one keeps the processor for its whole
// slice, which is longer than the answers to many requests take (EEVDF, kernel/sched/fair.c: RUN_TO_PARITY).

enum { most_passes = 16 };

static const struct sched_param no_priority = {0};

int apus_calm_down(void) { return sched_setscheduler(0, SCHED_IDLE, &no_priority); }

static void *calm_down_and_back(void *is_back) {
    *(int *)is_back = apus_calm_down() == 0 && sched_setscheduler(0, SCHED_OTHER, &no_priority) == 0;
    return NULL;
}

int apus_can_hurry(void) {
    pthread_t thread;
    int is_back = 0;
    // A thread for nothing else: it may have to stay as it is then.
    if (pthread_create(&thread, NULL, calm_down_and_back, &is_back) != 0) return 0;
    pthread_join(thread, NULL);
    return is_back;
}

static int hurry_task(pid_t task) {
    if (sched_getscheduler(task) != SCHED_IDLE) return 0;
    return sched_setscheduler(task, SCHED_OTHER, &no_priority) == 0;
}

/// Every thread of `process` and of its children. Returns how many there were that had not been hurried.
static int hurry_tree(pid_t process) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *tasks = opendir(path);
    if (tasks == NULL) return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        const pid_t task = atoi(entry->d_name);
        if (task == 0) continue;
        count += hurry_task(task);
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", process, task);
        FILE *children = fopen(path, "re");
        if (children == NULL) continue;
        for (int child; fscanf(children, "%d", &child) == 1;) count += hurry_tree(child);
        fclose(children);
    }
    closedir(tasks);
    return count;
}

void apus_hurry(pid_t process) {
    // What is made meanwhile is as its maker was.
    for (int pass = 0; pass < most_passes && hurry_tree(process) > 0; pass++) {}
}
