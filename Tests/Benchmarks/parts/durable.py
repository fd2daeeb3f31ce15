"""What is on disk before its answer leaves, beside warm HTTP: queued requests, and invocations that change state."""
import http.client
import json
import pathlib
import tempfile

from parts.report import Table, at_least, compared, interleaved
from parts.servers import BUILD, apus, free_port, need, started, wrk

CONNECTIONS = 32
YARDSTICK = "warm HTTP, no state"
WORKERS = "{ concurrency: 64 }"
WORKER = str(BUILD / "ContractWorker")
# Each request of `add` reads, adds to and writes a key of its own.
SCRIPTS = {
    "enqueue, for later": """
        wrk.method = "POST"
        wrk.headers["Prefer"] = "respond-async"
        wrk.headers["Apus-After"] = "1h"
        """,
    "enqueue, and run": """
        wrk.method = "POST"
        wrk.headers["Prefer"] = "respond-async"
        """,
    "read and write one key": """
        local number = 0
        request = function()
            number = number + 1
            return wrk.format("GET", "/hello/add?key=" .. number % 100000)
        end
        """,
    "increment one hot key": 'request = function() return wrk.format("GET", "/hello/increment?key=hot") end',
}

GOALS = {
    "enqueue, for later": at_least(0.5, "ratio"), "read and write one key": at_least(0.4, "ratio"),
    "increment one hot key": at_least(0.3, "ratio"),
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


def measured(port, admin, connections, seconds, script):
    """The columns of `wrk`, and how many units a transaction, with one `fsync`, took together meanwhile."""
    before = admin.read()
    columns = wrk(port, connections, seconds, script)
    units, commits = (after - earlier for after, earlier in zip(admin.read(), before))
    return {**columns, "units a commit": units / commits if commits else 0}


def measure(options):
    need("wrk", BUILD / "apus", BUILD / "Hello", WORKER)
    connections = options.connections or CONNECTIONS
    names = [YARDSTICK, *SCRIPTS]
    admins = {name: Admin() for name in names}

    def contender(name):
        return lambda folder: apus(folder, WORKERS, program(name), admin=admins[name].port)
    with tempfile.TemporaryDirectory(prefix="apus-bench-") as folder:
        scripts = {name: pathlib.Path(folder) / f"{index}.lua" for index, name in enumerate(SCRIPTS)}
        for name, path in scripts.items():
            path.write_text(SCRIPTS[name])
        with started({name: contender(name) for name in names}, answer=None, path="/hello/pid") as ports:
            for name, port in ports.items():
                measured(port, admins[name], connections, 1, scripts.get(name))
            results = interleaved(options, {
                name: lambda name=name, port=port: measured(
                    port, admins[name], connections, options.seconds, scripts.get(name))
                for name, port in ports.items()})
    yield Table(
        f"On disk before the answer, {connections} connections", compared(results, YARDSTICK, GOALS),
        "Each answer leaves after its `fsync`. The ratio is to warm HTTP of the same host without state.")
