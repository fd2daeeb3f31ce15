"""The first request to a function without workers, beside the start and end of the same program."""
import http.client
import json
import math
import os
import statistics
import time

from parts.report import Table, at_most, rows
from parts.servers import BUILD, apus, free_port, need, started

YARDSTICK = "posix_spawn to exit"
SAMPLES = 100  # a round
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
    """What `share` of the values do not exceed."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def sampled(clients, admins):
    """What a program alone takes, and the first request to each host, one after the other: {name: [milliseconds]}."""
    null = os.open("/dev/null", os.O_RDWR)
    found = {YARDSTICK: [], **{name: [] for name in clients}}
    for _ in range(SAMPLES):
        found[YARDSTICK].append(spawned(null))
        for name in clients:
            found[name].append(answered(clients[name], admins[name]))
    os.close(null)
    return found


def measure(options):
    need(BUILD / "apus", PROGRAM)
    ports = {name: free_port() for name in ("apus", "apus, sandbox: off")}
    contenders = {
        "apus": lambda home: apus(home, MANIFEST_WORKERS, admin=ports["apus"]),
        "apus, sandbox: off": lambda home: apus(
            home, MANIFEST_WORKERS, more="sandbox: off", admin=ports["apus, sandbox: off"]),
    }
    columns = ("p50 ms", "p99 ms", "p50 ratio", "p99 ratio")
    results = {name: {column: [] for column in columns} for name in (YARDSTICK, *contenders)}
    with started(contenders) as servers:
        clients = {name: http.client.HTTPConnection("127.0.0.1", server.port) for name, server in servers.items()}
        admins = {name: http.client.HTTPConnection("127.0.0.1", port) for name, port in ports.items()}
        for _ in range(options.rounds):
            found = sampled(clients, admins)
            base = found[YARDSTICK]
            for name, values in found.items():
                p50, p99 = statistics.median(values), percentile(values, 0.99)
                ratios = (p50 / statistics.median(base), p99 / percentile(base, 0.99))
                for column, value in zip(columns, (p50, p99, *ratios)):
                    results[name][column].append(round(value, 4))
    goals = {"apus": [at_most(3, "p50 ratio"), at_most(6, "p99 ratio")]}
    yield Table(
        "The first request from zero", rows(results, goals),
        f"`GET /hello/Ada` to a static Swift function of which no process runs, {SAMPLES} times a round, beside "
        "`posix_spawn` to exit of the same program, in the default sandbox and without any.")
