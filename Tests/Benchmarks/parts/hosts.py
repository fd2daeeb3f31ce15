"""Single hosts: what they say of themselves, and what they and their workers take."""
import contextlib
import http.client
import json
import pathlib
import shutil
import subprocess
import time

from parts import processes
from parts.servers import BUILD, free_port, running, wait_until_serving


def resident(pid, kind="Rss"):
    """Megabytes (10^6 bytes) of memory: `Rss` counts shared pages whole, `Pss` its share of them."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(kind + ":")) * 1024 / 1e6


def processor(pid):
    """Seconds of it that a process has used."""
    return processes.table()[pid][1]


def children(pid):
    return [child for child, (parent, _) in processes.table().items() if parent == pid]


class Host:
    """Apus in a folder of its own, with the time that it took until it served `path`."""

    def __init__(self, port, admin, process, seconds):
        self.port, self.process, self.seconds = port, process, seconds
        self.admin = http.client.HTTPConnection("127.0.0.1", admin)

    @property
    def pid(self):
        return self.process.pid

    def function(self, name):
        self.admin.request("GET", f"/v1/functions/{name}")
        return json.loads(self.admin.getresponse().read())["function"]

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    def cost(self, path, requests):
        """Microseconds of processor that the host takes for a request, of so many in a closed loop of 32 connections."""
        before, seconds = processor(self.pid), max(1, requests // 50_000)
        found = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{self.port}{path}"],
                               capture_output=True, text=True, check=True).stdout
        done = next(int(line.split()[0]) for line in found.splitlines() if "requests in" in line)
        return (processor(self.pid) - before) / done * 1e6


@contextlib.contextmanager
def host(home, manifests, path):
    """A host with `manifests`, {name: text}, in `home`, and data that is new or was left there."""
    folder = home / "manifests"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in manifests.items():
        (folder / f"{name}.yaml").write_text(text)
    port, admin, begin = free_port(), free_port(), time.perf_counter()
    with running(str(BUILD / "apus"), "serve", str(folder), "--data", str(home / "data"), "--listen",
                 f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}", stderr=subprocess.DEVNULL) as process:
        wait_until_serving(port, path, process)
        yield Host(port, admin, process, time.perf_counter() - begin)


def recorder(name, triggers):
    """A function that notes its events (Tests/Benchmarks/Recorder); `GET /NAME` gives them, a line each. `triggers` are
    items of YAML."""
    lines = "\n".join(f"  - {trigger}" for trigger in triggers)
    return f"""
name: {name}
handler: {{ command: [{BUILD}/Recorder], contract: apus }}
triggers:
  - http: {{ path: /{name} }}
{lines}
workers: {{ min: 1, max: 1, concurrency: 64, retire: {{ invocations: 1000000000 }} }}
"""
