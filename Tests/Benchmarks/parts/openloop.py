"""Latencies of an open loop at fixed rates: each counts from when its request was due."""
import json
import subprocess

from parts.report import Table, at_most, interleaved, ratios, rows
from parts.servers import compiled, need, started, temporary_folder, wrk
from parts.warm import CONTENDERS, YARDSTICK

CONNECTIONS = 32
SHARES = {0.5: "half", 0.25: "a quarter", 0.75: "three quarters"}
GOALS = {0.5: {"apus, concurrency 64": at_most(1.5, "p99 ratio")}}


def load(program, port, rate, options, connections):
    """The percentiles in milliseconds of `rate` requests a second, and the longest latency."""
    found = json.loads(subprocess.run(
        [program, str(port), "/hello/Ada", str(rate), str(options.seconds), str(connections)],
        capture_output=True, text=True, check=True).stdout)
    return {f"{name} ms": found[name] for name in ("p50", "p99", "p99.9", "max")}


def measure(options):
    need("nginx", "wrk", "cc")
    connections = options.connections or CONNECTIONS
    with temporary_folder() as home, started(CONTENDERS) as ports:
        program = compiled(home, "load.c")
        wrk(ports[YARDSTICK], connections, 1)
        most = wrk(ports[YARDSTICK], connections, options.seconds)["requests/s"]
        for share, words in SHARES.items():
            rate = round(most * share)
            results = interleaved(options, {
                name: lambda port=port: load(program, port, rate, options, connections) for name, port in ports.items()})
            base = results[YARDSTICK]["p99 ms"]
            for columns in results.values():
                columns["p99 ratio"] = ratios(columns["p99 ms"], base)
            yield Table(
                f"Latency at {words} of nginx's maximal load, open loop", rows(results, GOALS.get(share, {})),
                f"{rate:,} requests a second are due at fixed intervals, at {connections} connections, whether or not "
                "answers come; each latency counts from when its request was due, so that a pause shows in all that it "
                "delayed.")
