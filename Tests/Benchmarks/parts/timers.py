"""How late handlers of timers start, when many are due at once and when a steady stream is."""
import datetime
import math
import sys
import time

from parts.hosts import host, recorder, resident
from parts.report import Table, at_most, interleaved, rows
from parts.servers import BUILD, need, temporary_folder

FUNCTIONS = 10
# From the writing of the manifests to the first due time.
LEAD = 4


def manifests(count, spread, first):
    """Timers of 10 functions in turn, `count` in all, the first at the time `first`, the last `spread` seconds later."""
    own = [[] for _ in range(FUNCTIONS)]
    for index in range(count):
        due = datetime.datetime.fromtimestamp(first + index * spread / count, datetime.timezone.utc)
        own[index % FUNCTIONS].append(f"timer: {{ at: {due.isoformat(timespec='milliseconds')[:-6]}Z }}")
    return {f"t{index}": recorder(f"t{index}", lines) for index, lines in enumerate(own)}


def lateness(apus):
    """Of each call that began, in milliseconds, in ascending order."""
    found = []
    for index in range(FUNCTIONS):
        for line in apus.get(f"/t{index}").splitlines():
            due, began = line.split()
            found.append(float(began) - datetime.datetime.fromisoformat(due.replace("Z", "+00:00")).timestamp() * 1000)
    return sorted(found)


def fired(home, count, spread):
    """How late they were, in how many seconds the host had started, and the memory that it took then."""
    first = math.ceil(time.time()) + LEAD
    with host(home, manifests(count, spread, first), "/t0") as apus:
        if time.time() > first:
            sys.exit(f"the host took longer than {LEAD} s to start")
        memory = resident(apus.pid)
        time.sleep(max(0, first + spread + 0.5 - time.time()))
        late, end = lateness(apus), time.time() + 30
        while len(late) < count and time.time() < end:
            time.sleep(0.2)
            late = lateness(apus)
    if len(late) != count:
        sys.exit(f"{len(late)} calls began for {count} timers")
    return late, apus.seconds, memory


def columns(count, spread):
    with temporary_folder() as home:
        late, _, _ = fired(home, count, spread)
    return {f"p{share} ms": late[min(count - 1, count * share // 100)] for share in (50, 99)} | {"last ms": late[-1]}


def measure(options):
    need(BUILD / "apus", BUILD / "Recorder")
    seconds = max(2, options.seconds)
    yield Table(
        "Timers", rows(
            interleaved(options, {
                "10,000 due in one instant": lambda: columns(10_000, 0),
                "1,000 a second": lambda: columns(1000 * seconds, seconds)}),
            {"10,000 due in one instant": at_most(1000, "last ms"), "1,000 a second": at_most(10, "p99 ms")}),
        "From the due time to the start of the handler. The timers belong to 10 functions, each with one worker. A run in "
        "which one does not fire, or fires twice, ends the part.")
