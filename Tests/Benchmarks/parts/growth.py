"""What a host takes, in time and memory, as there is more of one thing: each over three orders of magnitude."""
import functools
import math
import socket
import statistics
import time

from parts.hosts import host, processor, recorder, resident
from parts.report import Row, Table, at_most, interleaved
from parts.servers import BUILD, manifest, need, temporary_folder
from parts.timers import fired

# Noise of a short measurement is no growth.
BOUND = 1.25
WORKER = f"{BUILD}/ContractWorker"
REQUEST = "{} {} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: 0\r\n\r\n"
LATER = "Prefer: respond-async\r\nApus-After: 1h\r\n"


def functions(count):
    """Each has a route of its own."""
    return served({f"f{index}": manifest(f"f{index}", "{ concurrency: 64 }") for index in range(count)}, "/f7/Ada")


def routes(count):
    """They lead to ten functions in turn."""
    def one(index):
        paths = (f"/r{number}/{{id}}/items/{{item?}}" for number in range(index, count, 10))
        triggers = "\n".join(f'  - http: {{ path: "{path}" }}' for path in paths)
        return (f"name: f{index}\nhandler: {{ command: [{BUILD}/Hello], contract: apus }}\ntriggers:\n{triggers}\n"
                "workers: { concurrency: 64 }\n")
    return served({f"f{index}": one(index) for index in range(10)}, "/r7/Ada/items/1")


def served(manifests, path):
    with temporary_folder() as home, host(home, manifests, path) as apus:
        apus.cost(path, 50_000)
        return {"start ms": apus.seconds * 1000, "request µs": apus.cost(path, 50_000),
                "memory MB": resident(apus.pid)}


def pipelined(port, requests):
    """Sends them over 16 connections, 50 ahead each, and waits for the answers."""
    parts = [requests[index::16] for index in range(16)]
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in parts]
    for begin in range(0, len(parts[0]), 50):
        for client, part in zip(clients, parts):
            client.sendall("".join(part[begin:begin + 50]).encode())
        for client, part in zip(clients, parts):
            missing, data = len(part[begin:begin + 50]), b""
            while data.count(b"HTTP/1.1 20") < missing:
                data += client.recv(1 << 16)
    for client in clients:
        client.close()


def stored(count, fill, more):
    """With `count` of what `fill` makes there: the processor that the host takes for one `more`."""
    text = manifest("f", "{ max: 1, concurrency: 64, idle: 10m }", WORKER)
    with temporary_folder() as home, host(home, {"f": text}, "/f/pid") as apus:
        pipelined(apus.port, [fill(number) for number in range(count)])
        before, requests = processor(apus.pid), 10_000
        pipelined(apus.port, [more(number % count) for number in range(requests)])
        return {"request µs": (processor(apus.pid) - before) / requests * 1e6, "memory MB": resident(apus.pid)}


def keys(count):
    """A request reads and writes one of them."""
    def add(number):
        return REQUEST.format("GET", f"/f/add?key={number}", "")
    return stored(count, add, add)


def queue(count):
    """Requests for later wait; one more comes, and one is run at once."""
    def later(_):
        return REQUEST.format("POST", "/f/pid", LATER)

    def now(number):
        return REQUEST.format("POST", "/f/pid", "Prefer: respond-async\r\n" if number % 2 else LATER)
    return stored(count, later, now)


def timers(count):
    """All are due in one instant."""
    with temporary_folder() as home:
        late, seconds, memory = fired(home, count, 0)
        return {"start ms": seconds * 1000, "last begins after ms": late[-1], "memory MB": memory}


def files(count):
    """They are there before; then one more comes, again and again."""
    with temporary_folder() as home:
        folder = home / "watched"
        for index in range(count):
            if index % 1000 == 0:
                (folder / f"d{index // 1000}").mkdir(parents=True)
            (folder / f"d{index // 1000}" / f"f{index}").touch()
        text = recorder("f", [f"file: {{ watch: {folder}, settle: 10ms }}"])
        with host(home, {"f": text}, "/f") as apus:
            begin, number = time.perf_counter() - apus.seconds, 0
            while not apus.function("f")["queue"]["done"]:
                (folder / f"probe{number}").touch()
                number += 1
                time.sleep(0.02)
            watching = time.perf_counter() - begin
            while apus.function("f")["queue"]["done"] < number:
                time.sleep(0.01)
            took = [change(apus, folder / f"more{index}") for index in range(20)]
            return {"watching after ms": watching * 1000, "change ms": statistics.median(took),
                    "memory MB": resident(apus.pid)}


def change(apus, path):
    """Milliseconds from a new file to the end of its call, the 10 ms of `settle` among them."""
    done, begin = apus.function("f")["queue"]["done"], time.perf_counter()
    path.touch()
    while apus.function("f")["queue"]["done"] == done:
        time.sleep(0.001)
    return (time.perf_counter() - begin) * 1000


SERIES = {
    "functions": (functions, (10, 100, 1000, 10_000)), "routes": (routes, (10, 100, 1000, 10_000)),
    "keys": (keys, (100, 1000, 10_000, 100_000)), "queued requests": (queue, (100, 1000, 10_000, 100_000)),
    "timers": (timers, (10, 100, 1000, 10_000)), "watched files": (files, (100, 1000, 10_000, 100_000)),
}


def judged(counts, points):
    """Rows, the last of them with how much its columns have grown over the last order of magnitude, beside n log n: at 1
    as fast as that."""
    found = []
    for count, values in points.items():
        found.append(Row(f"{count:,}", values))
    before, last = counts[-2:]
    share = last * math.log(last) / (before * math.log(before))
    growth = [max(statistics.median(points[last][column]) / statistics.median(points[before][column])
                  for column in points[last]) / share]
    found[-1].values["of n log n"] = [round(value, 3) for value in growth]
    found[-1].goals = [at_most(BOUND, "of n log n")]
    return found


def measure(options):
    need("wrk", BUILD / "apus", BUILD / "Hello", BUILD / "Recorder", WORKER)
    options.rounds = 1 if options.quick else min(options.rounds, 2)
    for name, (point, counts) in SERIES.items():
        counts = counts[:3] if options.quick else counts
        points = interleaved(options, {count: functools.partial(point, count) for count in counts})
        yield Table(f"Growth: {name}", judged(counts, points), (point.__doc__ or "").strip())
