"""A fresh process for each invocation: Apus beside servers that run a program for each request by the book."""
import contextlib

from parts.report import Table, at_least, compared
from parts.servers import BUILD, apus, compiled, driven, free_port, need, running, started, temporary_folder

CONNECTIONS = 4
YARDSTICK = "NIO, fork-exec-wait"
FILTER = "apus, cat"
SWIFT = "apus, static Swift"
BODY = "Hello, Ada!\n"
# What a stdio program of Apus finds, so that `cat` does the same everywhere.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_CTYPE": "C.UTF-8", "TZ": ":/etc/localtime"}


@contextlib.contextmanager
def watchdog(home, program):
    port = free_port()
    with running(str(program), str(port), "/bin/cat", env=ENVIRONMENT) as process:
        yield port, process


def c_watchdog(home):
    return watchdog(home, compiled("watchdog.c", "CWatchdog/run.c"))


FRESH = "{ max: 8, instance: fresh }"
CONTENDERS = {
    YARDSTICK: lambda home: watchdog(home, BUILD / "Watchdog"),
    "C threads, fork-exec-wait": c_watchdog,
    FILTER: lambda home: apus(home, FRESH, "cat", "stdio"),
    "apus, cat, sandbox: off": lambda home: apus(home, FRESH, "cat", "stdio", "sandbox: off"),
    SWIFT: lambda home: apus(home, FRESH),
    "apus, static Swift, sandbox: off": lambda home: apus(home, FRESH, more="sandbox: off"),
}


def measure(options):
    need("wrk", "cc", BUILD / "apus", BUILD / "Hello", BUILD / "Watchdog")
    connections = options.connections or CONNECTIONS
    with temporary_folder() as home:
        script = home / "post.lua"
        script.write_text('wrk.method = "POST"\nwrk.body = "Hello, Ada!\\n"\n')
        with started(CONTENDERS, BODY, "POST", BODY) as servers:
            results = driven(servers, options, connections, script=script)
    compared(results, FILTER, {}, ratio="× apus, cat")
    yield Table(
        "A fresh process for each invocation",
        compared(results, YARDSTICK, {FILTER: at_least(1.5, "ratio"), SWIFT: at_least(0.5, "× apus, cat")}),
        f"`POST` of 12 bytes at {connections} connections, answered by `cat` (`stdio`) or by the static Swift function. "
        f"The ratio is to *{YARDSTICK}*: a server on SwiftNIO that forks, executes and waits by the book.")
