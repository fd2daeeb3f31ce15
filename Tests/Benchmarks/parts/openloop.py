"""Latencies of an open loop at fixed rates: each counts from when its request was due."""
import json
import subprocess

from parts.report import Table, at_most, brief, interleaved, ratios, rows
from parts.servers import compiled, need, started, wrk
from parts.warm import CONTENDERS, YARDSTICK

CONNECTIONS = 32
SHARES = {0.5: "half", 0.25: "a quarter", 0.75: "three quarters"}
GOALS = {0.5: {"apus, concurrency 64": at_most(1.5, "p99 ratio")}}


def load(program, server, rate, seconds, connections):
    """The percentiles in milliseconds of `rate` requests a second, and the longest latency."""
    found = json.loads(subprocess.run(
        [program, str(server.port), "/hello/Ada", str(rate), str(seconds), str(connections)],
        capture_output=True, text=True, check=True).stdout)
    return {f"{name} ms": found[name] for name in ("p50", "p99", "p99.9", "max")}


def measure(options):
    need("nginx", "wrk", "cc")
    connections = options.connections or CONNECTIONS
    program = compiled("load.c")
    with started(CONTENDERS) as servers:
        wrk(servers[YARDSTICK], connections, 1)
        most = wrk(servers[YARDSTICK], connections, options.seconds)["requests/s"]
        for share, words in SHARES.items():
            rate = round(most * share)
            own = options if share in GOALS else brief(options)
            results = interleaved(own, {
                name: lambda server=server: load(program, server, rate, own.seconds, connections)
                for name, server in servers.items()})
            base = results[YARDSTICK]["p99 ms"]
            for columns in results.values():
                columns["p99 ratio"] = ratios(columns["p99 ms"], base)
            yield Table(
                f"Latency at {words} of nginx's maximal load, open loop", rows(results, GOALS.get(share, {})),
                f"{rate:,} requests a second are due at fixed intervals, at {connections} connections, whether or not "
                "answers come; each latency counts from when its request was due, so that a pause shows in all that it "
                "delayed.")
