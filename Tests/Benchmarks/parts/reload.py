"""Requests that fail while the host reloads ten times a second, and while it restarts on a passed socket.

Each reload has another build of the program, another manifest, or a function that comes or goes. `APUS_BUILD` names the
folder with other builds of `apus` and `Hello` than `.build/release`.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from parts.report import Row, Table, at_most
from parts.servers import BUILD, free_port, need, running, temporary_folder, wait_until_serving

CONNECTIONS = 32
PROGRAMS = pathlib.Path(os.environ.get("APUS_BUILD", BUILD))


def manifest(name, path, program, more=""):
    return f"""
name: {name}
handler: {{ command: [{program}], contract: apus }}
triggers:
  - http: {{ path: "{path}" }}
{more}
"""


def write(path, text):
    """As a whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


class Changes:
    """What is different with each reload."""

    def __init__(self, folder):
        self.folder = folder
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        for build in ("one", "two"):
            shutil.copy(PROGRAMS / "Hello", folder / build)
        self.make(0)

    def make(self, number):
        link = self.folder / "handler"
        new = self.folder / "handler.new"
        new.symlink_to("one" if number % 2 == 0 else "two")
        new.rename(link)
        # Every second time, only the program is another.
        write(
            self.manifests / "hello.yaml",
            manifest("hello", "/hello/{name?}", link, f"environment: {{ ROUND: '{number // 2}' }}"))
        other = self.manifests / "other.yaml"
        if number % 3 == 0:
            write(other, manifest("other", "/other", link))
        else:
            other.unlink(missing_ok=True)


def reload(admin):
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
    connection.request("POST", "/v1/reload")
    answer = connection.getresponse()
    document = json.loads(answer.read())
    assert answer.status == 200, document


def count(pattern, text):
    return sum(int(number) for match in re.findall(pattern, text) for number in re.findall(r"\d+", match))


def reloads(folder, seconds, connections):
    port, admin = free_port(), free_port()
    changes = Changes(folder)
    command = [
        PROGRAMS / "apus", "serve", changes.manifests, "--data", folder / "data", "--listen", f"127.0.0.1:{port}",
        "--admin", f"127.0.0.1:{admin}", "--log-level", "error",
    ]
    with running(*command) as host:
        wait_until_serving(port, "/hello/Ada", host)
        with running(
                "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/hello/Ada",
                stdout=subprocess.PIPE, text=True) as wrk:
            done, next_time, longest = 0, time.monotonic(), 0
            while wrk.poll() is None:
                done += 1
                changes.make(done)
                begin = time.monotonic()
                reload(admin)
                longest = max(longest, time.monotonic() - begin)
                next_time = max(next_time + 0.1, time.monotonic())
                time.sleep(max(0, next_time - time.monotonic()))
            text = wrk.stdout.read()
    requests = count(r"(\d+) requests in", text)
    failed = count(r"Non-2xx or 3xx responses: (\d+)", text) + count(r"Socket errors: (.*)", text)
    return {"times": [done], "requests/s": [requests / seconds], "longest ms": [longest * 1000], "failed": [failed]}


class Client(threading.Thread):
    """Makes a connection for each request, without pause."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.is_over = port, False
        self.answers, self.longest, self.failures = 0, 0, []

    def run(self):
        while not self.is_over:
            begin = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                connection.request("GET", "/hello/Ada", headers={"Connection": "close"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(answer.status)
                self.answers += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - begin)


def activated(listener, command):
    """Starts the host as systemd does: the socket is descriptor 3, and meant for this process alone."""
    shell = 'exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_FDNAMES=listen LISTEN_PID=$$ exec "$0" "$@"'
    return subprocess.Popen(["/bin/sh", "-c", shell, *command], stdin=listener)


def restarts(folder, seconds):
    folder.mkdir()
    changes = Changes(folder)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        port = listener.getsockname()[1]
        command = [
            PROGRAMS / "apus", "serve", changes.manifests, "--data", folder / "data", "--admin",
            f"127.0.0.1:{free_port()}", "--log-level", "error",
        ]
        host = activated(listener, command)
        try:
            wait_until_serving(port, "/hello/Ada", host)
            clients = [Client(port) for _ in range(4)]
            for client in clients:
                client.start()
            done, end = 0, time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.5)
                host.send_signal(signal.SIGTERM)
                assert host.wait(60) == 0
                host = activated(listener, command)
                done += 1
            wait_until_serving(port, "/hello/Ada", host)
            for client in clients:
                client.is_over = True
            for client in clients:
                client.join()
        finally:
            host.terminate()
            host.wait(60)
    failures = [failure for client in clients for failure in client.failures]
    if failures:
        print(f"failed: {failures[:5]}")
    answers = sum(client.answers for client in clients)
    longest = max(client.longest for client in clients)
    return {"times": [done], "requests/s": [answers / seconds], "longest ms": [longest * 1000],
            "failed": [len(failures)]}


def measure(options):
    need("wrk", PROGRAMS / "apus", PROGRAMS / "Hello")
    seconds = options.rounds * options.seconds
    with temporary_folder() as home:
        reloaded = reloads(home, seconds, options.connections or CONNECTIONS)
        restarted = restarts(home / "restarts", seconds)
    yield Table(
        "Reloads and restarts under load",
        [Row("ten reloads a second", reloaded, [at_most(0, "failed")]),
         Row("a restart on a passed socket", restarted, [at_most(0, "failed")])],
        "Each reload has another build of the program, another manifest, or a function that comes or goes; each restart "
        "ends the host with SIGTERM. *Longest* is a reload, and the wait of a client that makes a connection a request.")
