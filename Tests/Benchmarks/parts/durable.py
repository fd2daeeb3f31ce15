"""What is on disk before its answer leaves, beside warm HTTP: queued requests, and invocations that change state."""
import http.client
import json
import pathlib
import statistics
import tempfile

from parts.servers import BUILD, apus, free_port, need, started, table, wrk

CONNECTIONS = 32
YARDSTICK = "warm HTTP, no state"
WORKERS = "{ concurrency: 64 }"
WORKER = str(BUILD / "ContractWorker")
# Each request of `add` reads, adds to and writes a key of its own.
SCRIPTS = {
    "enqueue, for later (goal 0.5)": """
        wrk.method = "POST"
        wrk.headers["Prefer"] = "respond-async"
        wrk.headers["Apus-After"] = "1h"
        """,
    "enqueue, and run": """
        wrk.method = "POST"
        wrk.headers["Prefer"] = "respond-async"
        """,
    "read and write one key (goal 0.4)": """
        local number = 0
        request = function()
            number = number + 1
            return wrk.format("GET", "/hello/add?key=" .. number % 100000)
        end
        """,
    "increment one hot key": 'request = function() return wrk.format("GET", "/hello/increment?key=hot") end',
}


def program(name):
    return WORKER if "key" in name else str(BUILD / "Hello")


class Admin:
    """Counts the transactions of a host."""

    def __init__(self):
        self.port = free_port()

    def read(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/v1/storage")
        document = json.loads(connection.getresponse().read())
        return document["units"], document["commits"]


def measured(port, admin, options, seconds, script):
    """A row of `wrk`, and how many units a transaction had meanwhile."""
    before = admin.read()
    row = wrk(port, options.connections, seconds, script)
    units, commits = (after - earlier for after, earlier in zip(admin.read(), before))
    return row, units / commits if commits else 0


def measure(options):
    need("wrk", BUILD / "apus", BUILD / "Hello", WORKER)
    names = [YARDSTICK, *SCRIPTS]
    admins = {name: Admin() for name in names}
    rows, batches = {name: [] for name in names}, {name: [] for name in names}

    def contender(name):
        return lambda folder: apus(folder, WORKERS, program(name), admin=admins[name].port)
    with tempfile.TemporaryDirectory(prefix="apus-bench-") as folder:
        scripts = {name: pathlib.Path(folder) / f"{index}.lua" for index, name in enumerate(SCRIPTS)}
        for name, path in scripts.items():
            path.write_text(SCRIPTS[name])
        with started({name: contender(name) for name in names}, answer=None, path="/hello/pid") as ports:
            for round in range(options.rounds + 1):
                for name, port in ports.items():
                    row, batch = measured(
                        port, admins[name], options, options.seconds if round else 1, scripts.get(name))
                    # The first round does not count.
                    if round:
                        rows[name].append(row)
                        batches[name].append(batch)
    table("on disk before the answer", options, rows, YARDSTICK)
    print("\nunits that one transaction, with one fsync, took together\n")
    for name in SCRIPTS:
        values = batches[name]
        print(f"{name:<34}{statistics.median(values):>8.1f}  ({min(values):.1f}–{max(values):.1f})")
