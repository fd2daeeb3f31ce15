"""Memory of a host with few and many functions, of an idle worker, and of an idle connection."""
import resource
import socket
import time

from parts.hosts import children, host, resident
from parts.report import Table, at_most, interleaved, rows
from parts.servers import BUILD, manifest, need, temporary_folder

CONNECTIONS = 10_000
REQUEST = b"GET /f0/Ada HTTP/1.1\r\nHost: localhost\r\n\r\n"


def functions(count):
    return {f"f{index}": manifest(f"f{index}", "{ idle: 10m }") for index in range(count)}


def declared(count):
    """Of a host none of whose functions has been called; a path that leads nowhere shows that it serves."""
    with temporary_folder() as home:
        manifests = {**functions(count - 1), "last": manifest("last", "{ idle: 1ms }")}
        with host(home, manifests, "/last/Ada") as apus:
            while children(apus.pid):
                time.sleep(0.01)
            return {"resident MB": resident(apus.pid)}


def worker():
    with temporary_folder() as home, host(home, functions(1), "/f0/Ada") as apus:
        found = children(apus.pid)[-1]
        return {"resident MB": resident(found), "proportional MB": resident(found, "Pss")}


def connection(count):
    """Each has had one request."""
    with temporary_folder() as home, host(home, functions(1), "/f0/Ada") as apus:
        before = resident(apus.pid)
        clients = []
        for _ in range(count):
            clients.append(socket.create_connection(("127.0.0.1", apus.port)))
            clients[-1].sendall(REQUEST)
            clients[-1].recv(4096)
        each = (resident(apus.pid) - before) * 1e6 / 1024 / count
        for client in clients:
            client.close()
        return {"KiB each": each}


def measure(options):
    need(BUILD / "apus", BUILD / "Hello")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    open_ones = min(CONNECTIONS, most - 200)
    counts = {f"{count:,} function{'s'[:count > 1]} declared, none running": lambda count=count: declared(count)
              for count in (1, 100, 1000)}
    yield Table(
        "Memory of the host", rows(
            interleaved(options, counts),
            {"100 functions declared, none running": at_most(40, "resident MB")}),
        "`Rss` of the process, in 10^6 bytes. Most of it is code, which the kernel takes back when it needs the room.")
    yield Table(
        "Memory of an idle worker", rows(
            interleaved(options, {"static Swift, Hello": worker}), {"static Swift, Hello": at_most(6, "resident MB")}),
        "*Resident* counts the pages that it shares with other workers whole, *proportional* its share of them.")
    yield Table(
        "Memory of an idle connection", rows(
            interleaved(options, {f"{open_ones:,} open": lambda: connection(open_ones)}),
            {f"{open_ones:,} open": at_most(8, "KiB each")}),
        "What the host grows by, after one request on each.")
