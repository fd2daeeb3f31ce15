"""A handler in Python through the SDK, beside nginx as reverse proxy, uwsgi with the same handler, and one in Swift."""
import contextlib
import os
import subprocess

from parts.report import Table, at_least, compared
from parts.servers import ROOT, apus, driven, free_port, need, nginx, nginx_proxy, running, started

CONNECTIONS = 32
PROXY, UWSGI, MANY = "nginx proxy, no Python", "nginx, uwsgi", f"nginx, uwsgi, {os.cpu_count()} processes"
NATIVE = "apus, static Swift, 64"
NEVER_RETIRED = "{ concurrency: 64, retire: { invocations: 1000000000 } }"
# The interpreter that Debian's uwsgi has linked in.
HANDLER = f"/usr/bin/python3, {ROOT}/Tests/Benchmarks/hello.py"


def uwsgi_processes(count, *more):
    return running(
        "uwsgi", "--plugins", "http,python3", "--master", "--processes", str(count), "--disable-logging", "--need-app",
        "--die-on-term", "--listen", "1024", "--wsgi-file", str(ROOT / "Tests" / "Benchmarks" / "wsgi.py"), *more,
        stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def uwsgi_http(home):
    """uwsgi behind its own HTTP router, with connections that stay open."""
    port = free_port()
    with uwsgi_processes(1, "--http", f"127.0.0.1:{port}", "--http-keepalive") as process:
        yield port, process


@contextlib.contextmanager
def uwsgi_behind_nginx(home, count=1):
    """As its manual and most people have it: nginx passes requests to a Unix socket, in uwsgi's own protocol."""
    port, socket = free_port(), home / "uwsgi.sock"
    with uwsgi_processes(count, "--socket", str(socket)), nginx(home / "proxy", f"""
            server {{ listen 127.0.0.1:{port};
                      location / {{ include /etc/nginx/uwsgi_params; uwsgi_pass unix:{socket}; }} }}""") as process:
        yield port, process


CONTENDERS = {
    PROXY: nginx_proxy,
    UWSGI: uwsgi_behind_nginx,
    MANY: lambda home: uwsgi_behind_nginx(home, os.cpu_count()),
    "uwsgi, its HTTP router": uwsgi_http,
    NATIVE: lambda home: apus(home, "{ concurrency: 64 }"),
    "apus, concurrency 64": lambda home: apus(home, "{ concurrency: 64 }", HANDLER),
    "apus, 64, never retired": lambda home: apus(home, NEVER_RETIRED, HANDLER),
    "apus, async def, 64": lambda home: apus(home, "{ concurrency: 64 }", HANDLER + ", async"),
    "apus, 8 × concurrency 1": lambda home: apus(home, "{ max: 8, concurrency: 1 }", HANDLER),
}
GOALS = {"apus, concurrency 64": [
    at_least(0.8, "× nginx proxy"), at_least(0.5, "× static Swift"), at_least(1.5, "× uwsgi")]}


def measure(options):
    need("nginx", "wrk", "uwsgi", "/usr/bin/python3")
    connections = options.connections or CONNECTIONS
    with started(CONTENDERS) as servers:
        results = driven(servers, options, connections)
    compared(results, PROXY, {}, ratio="× nginx proxy")
    compared(results, NATIVE, {}, ratio="× static Swift")
    yield Table(
        f"Python, {connections} connections", compared(results, UWSGI, GOALS, ratio="× uwsgi"),
        f"The same greeting in Python, through our SDK and as a WSGI application. *{UWSGI}* is the yardstick of "
        "*× uwsgi*: one process, as Apus has with `concurrency: 64`, behind nginx on a Unix socket. *× static Swift* "
        "compares with the native function under the same host and load. Apus replaces a worker "
        "after 10,000 invocations, here several times a second, where the manifest does not say otherwise.")
