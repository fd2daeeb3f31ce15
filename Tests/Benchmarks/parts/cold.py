"""The first request to a function without workers, beside the start and end of the same program."""
import http.client
import json
import os
import statistics
import time

from parts.servers import BUILD, apus, free_port, need, started

CONNECTIONS = 1
SAMPLES = 100
PROGRAM = str(BUILD / "Hello")
MANIFEST_WORKERS = "{ idle: 1ms }"


def spawned(null):
    """How long `posix_spawn` to exit takes, in milliseconds. Without a host, the program says so and ends."""
    begin = time.perf_counter()
    places = [(os.POSIX_SPAWN_DUP2, null, place) for place in (0, 1, 2)]
    os.waitpid(os.posix_spawn(PROGRAM, [PROGRAM], {"PATH": "/usr/bin:/bin"}, file_actions=places), 0)
    return (time.perf_counter() - begin) * 1000


def workers(admin):
    admin.request("GET", "/v1/functions/hello")
    return json.loads(admin.getresponse().read())["function"]["pool"]["workers"]


def answered(client, admin):
    """How long a request takes once no worker is left."""
    while workers(admin):
        time.sleep(0.002)
    begin = time.perf_counter()
    client.request("GET", "/hello/Ada")
    client.getresponse().read()
    return (time.perf_counter() - begin) * 1000


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def line(name, values, base):
    p50 = statistics.median(values)
    print(f"{name:<34}{p50:>10.2f}{percentile(values, 0.99):>10.2f}{p50 / base:>8.2f}")


def measure(options):
    need(BUILD / "apus", PROGRAM)
    ports = {name: free_port() for name in ("apus", "apus, sandbox: off")}
    contenders = {
        "apus": lambda folder: apus(folder, MANIFEST_WORKERS, admin=ports["apus"]),
        "apus, sandbox: off": lambda folder: apus(
            folder, MANIFEST_WORKERS, more="sandbox: off", admin=ports["apus, sandbox: off"]),
    }
    base, results = [], {name: [] for name in contenders}
    null = os.open("/dev/null", os.O_RDWR)
    with started(contenders) as serving:
        clients = {name: http.client.HTTPConnection("127.0.0.1", port) for name, port in serving.items()}
        admins = {name: http.client.HTTPConnection("127.0.0.1", port) for name, port in ports.items()}
        for _ in range(options.rounds * SAMPLES // 5):
            base.append(spawned(null))
            for name in contenders:
                results[name].append(answered(clients[name], admins[name]))
    os.close(null)
    print(f"\nfirst request to a function without workers, static Swift, {len(base)} each, one after the other "
          f"(goal: at most 3)\n")
    print(f"{'':<34}{'p50 ms':>10}{'p99 ms':>10}{'ratio':>8}")
    line("posix_spawn to exit", base, statistics.median(base))
    for name, values in results.items():
        line(name, values, statistics.median(base))
