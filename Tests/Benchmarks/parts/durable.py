"""What is on disk before its answer leaves, beside warm HTTP and beside SQLite itself."""
import datetime
import http.client
import json
import math
import subprocess
import sys
import time

from parts.report import Table, at_least, compared, interleaved
from parts.servers import BUILD, compiled, free_port, host, manifest, need, started, temporary_folder, wrk

CONNECTIONS = 32
YARDSTICK = "warm HTTP, no state"
WORKERS = "{ concurrency: 64 }"


def keyed(operation, keys):
    """Requests that each have another key. They are made before the first is sent: to warm HTTP `wrk` sends the same one
    again and again, at no cost either."""
    return f"""
        local requests, number = {{}}, 0
        init = function()
            for key = 1, {keys} do requests[key] = wrk.format("GET", "/hello/{operation}/" .. key) end
        end
        request = function()
            number = number % {keys} + 1
            return requests[number]
        end"""


def queued(when=""):
    return f"""
        wrk.method = "POST"
        wrk.headers["Prefer"] = "respond-async"
        {when}"""


# Each request of `add` reads a key, adds to what it holds and writes it (Tests/Benchmarks/Ledger).
SCRIPTS = {
    "enqueue, for later": queued('wrk.headers["Apus-After"] = "1h"'),
    "enqueue, and run": queued(),
    "read a key": keyed("get", 1000),
    "read and write a key": keyed("add", 100000),
    "increment one hot key": 'wrk.path = "/hello/increment/hot"',
}
GOALS = {
    "enqueue, for later": at_least(0.5, "ratio"), "read and write a key": at_least(0.4, "ratio"),
    "increment one hot key": at_least(0.3, "ratio"),
}
DRAIN = "drain of what is due"


class Admin:
    """What a host says of itself."""

    def __init__(self):
        self.port = free_port()

    def read(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())

    def commits(self):
        document = self.read("/v1/storage")
        return document["units"], document["commits"]

    def queue(self):
        return self.read("/v1/functions/hello")["function"]["queue"]


class Load:
    """What is asked of one host."""

    def __init__(self, name, home, connections):
        self.name, self.script, self.connections = name, home / f"{name}.lua", connections
        self.admin, self.server = Admin(), None
        self.script.write_text(SCRIPTS.get(name, ""))

    def start(self, home):
        if "key" in self.name:
            function = manifest("hello", WORKERS, f"{BUILD}/Ledger", path="{operation}/{key?}")
        else:
            function = manifest("hello", WORKERS, f"{BUILD}/Hello")
        return host(home, {"hello": function}, self.admin.port)

    def warm(self):
        if self.name == "read a key":
            # So that there is something to read.
            self.script.write_text(SCRIPTS["read and write a key"])
            wrk(self.server, 1, 1, self.script)
            self.script.write_text(SCRIPTS[self.name])
        self.measure(1)

    def measure(self, seconds):
        """The columns of `wrk`, and how many units a transaction, with one `fsync`, took together meanwhile."""
        before = self.admin.commits()
        columns = wrk(self.server, self.connections, seconds, self.script)
        units, commits = (after - earlier for after, earlier in zip(self.admin.commits(), before))
        return {**columns, "units a commit": units / commits if commits else 0}

    def drain(self):
        """How many a second run of those that are enqueued in a second and due all at once, a moment later."""
        due = math.ceil(time.time()) + 2
        moment = datetime.datetime.fromtimestamp(due, datetime.timezone.utc).isoformat()
        self.script.write_text(queued(f'wrk.headers["Apus-At"] = "{moment}"'))
        before = self.admin.queue()["enqueued"]
        wrk(self.server, self.connections, 1, self.script)
        if time.time() > due:
            sys.exit("enqueueing for a second took two")
        while time.time() < due + 60:
            time.sleep(max(0.02, due - time.time()))
            queue = self.admin.queue()
            if queue["waiting"] + queue["running"] == 0:
                return {"requests/s": (queue["enqueued"] - before) / (time.time() - due)}
        sys.exit(f"not drained after a minute: {queue}")


def sqlite(program, home, keys, seconds):
    found = subprocess.run(
        [program, home / f"{keys}.db", str(seconds), str(keys)], capture_output=True, text=True, check=True).stdout
    return {"requests/s": float(found), "units a commit": keys}


def measure(options):
    need("wrk", "cc", BUILD / "apus", BUILD / "Hello", BUILD / "Ledger")
    connections = options.connections or CONNECTIONS
    with temporary_folder() as home:
        program = compiled("commits.c", libraries=["sqlite3"])
        loads = {name: Load(name, home, connections) for name in (YARDSTICK, *SCRIPTS, DRAIN)}
        starts = {name: load.start for name, load in loads.items()}
        with started(starts, answer=None, path="/hello/get") as servers:
            for name, load in loads.items():
                load.server = servers[name]
                load.warm()
            results = interleaved(options, {
                **{name: lambda load=load: load.measure(options.seconds)
                   for name, load in loads.items() if name != DRAIN},
                DRAIN: loads[DRAIN].drain,
                **{f"SQLite alone, {keys} a commit": lambda keys=keys: sqlite(program, home, keys, options.seconds)
                   for keys in (1, connections)}})
    yield Table(
        f"On disk before the answer, {connections} connections", compared(results, YARDSTICK, GOALS),
        "Each answer leaves after its `fsync`. The ratio is to warm HTTP of the same host without state. *SQLite alone* "
        "is a loop in C that reads and writes keys in the same table with the same settings.")
