"""Warm HTTP: Apus beside nginx as reverse proxy to the same answer."""
from parts.report import Table, at_least, brief, compared
from parts.servers import BUILD, apus, driven, need, nginx_proxy, started

YARDSTICK = "nginx proxy"
CONTENDERS = {
    YARDSTICK: nginx_proxy,
    "apus, concurrency 64": lambda home: apus(home, "{ concurrency: 64 }"),
    "apus, 8 × concurrency 1": lambda home: apus(home, "{ max: 8, concurrency: 1 }"),
}
# The goals are for 32 connections.
GOALS = {
    32: {"apus, concurrency 64": at_least(1.15, "ratio"), "apus, 8 × concurrency 1": at_least(0.7, "ratio")},
}


def measure(options):
    need("nginx", "wrk", BUILD / "apus", BUILD / "Hello")
    with started(CONTENDERS) as servers:
        for connections in [options.connections] if options.connections else [32, 1, 256]:
            judged = connections in GOALS
            results = driven(servers, options if judged else brief(options), connections)
            yield Table(
                f"Warm HTTP, closed loop, {connections} connection{'s'[:connections > 1]}",
                compared(results, YARDSTICK, GOALS.get(connections, {})),
                "`GET /hello/Ada` answers 12 bytes; each connection waits for its answer before it asks again.")
