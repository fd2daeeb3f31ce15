"""A new connection for each request, beside nginx."""
from parts.report import Table, compared
from parts.servers import driven, need, started
from parts.warm import CONTENDERS, YARDSTICK

CONNECTIONS = 32


def measure(options):
    need("nginx", "wrk")
    connections = options.connections or CONNECTIONS
    with started(CONTENDERS) as servers:
        results = driven(servers, options, connections, headers=["Connection: close"])
    yield Table(
        f"Fresh connections, {connections} at a time", compared(results, YARDSTICK, {}),
        "Each request has `Connection: close`; the next one makes a connection of its own.")
