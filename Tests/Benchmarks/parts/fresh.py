"""A fresh process for each invocation: Apus beside servers that run a program for each request by the book."""
import contextlib
import pathlib
import subprocess
import tempfile

from parts.servers import BUILD, ROOT, apus, free_port, interleaved, need, running, started, table

CONNECTIONS = 4
YARDSTICK = "NIO, fork-exec-wait"
BODY = "Hello, Ada!\n"
# What a stdio program of Apus finds, so that `cat` does the same everywhere.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_CTYPE": "C.UTF-8", "TZ": ":/etc/localtime"}


@contextlib.contextmanager
def watchdog(folder, program):
    port = free_port()
    with running(str(program), str(port), "/bin/cat", env=ENVIRONMENT) as process:
        yield port, process


def c_watchdog(folder):
    program = folder / "watchdog"
    sources = ROOT / "Tests" / "Benchmarks"
    subprocess.run(
        ["cc", "-O2", "-pthread", f"-I{sources}/CWatchdog/include", "-o", program, sources / "watchdog.c",
         sources / "CWatchdog" / "run.c"], check=True)
    return watchdog(folder, program)


def filters(options, script):
    contenders = {
        YARDSTICK: lambda folder: watchdog(folder, BUILD / "Watchdog"),
        "C threads, fork-exec-wait": c_watchdog,
        "apus, stdio": lambda folder: apus(folder, "{ max: 8, instance: fresh }", "cat", "stdio"),
        "apus, stdio, sandbox: off": lambda folder: apus(
            folder, "{ max: 8, instance: fresh }", "cat", "stdio", "sandbox: off"),
    }
    with started(contenders, BODY, "POST", BODY) as ports:
        table("a process for each request, cat (goal: at least 1.5)", options,
              interleaved(ports, options, script), YARDSTICK)


def handlers(options):
    contenders = {
        "apus, Swift, fresh": lambda folder: apus(folder, "{ max: 8, instance: fresh }"),
        "apus, Swift, fresh, sandbox: off": lambda folder: apus(
            folder, "{ max: 8, instance: fresh }", more="sandbox: off"),
    }
    with started(contenders) as ports:
        table("a process for each request, static Swift", options, interleaved(ports, options), "apus, Swift, fresh")


def measure(options):
    need("wrk", "cc", BUILD / "apus", BUILD / "Hello", BUILD / "Watchdog")
    with tempfile.TemporaryDirectory(prefix="apus-bench-") as folder:
        script = pathlib.Path(folder) / "post.lua"
        script.write_text('wrk.method = "POST"\nwrk.body = "Hello, Ada!\\n"\n')
        filters(options, script)
    handlers(options)
