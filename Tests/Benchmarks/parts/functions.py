"""Requests that go to 1, 8 and 64 functions in turn, each with workers of its own, beside nginx."""
from parts.report import Table, compared
from parts.servers import driven, host, manifest, need, nginx_proxy, started, temporary_folder

CONNECTIONS = 32
YARDSTICK = "nginx proxy"
COUNTS = (1, 8, 64)
# Prepared, so that the client takes as long for each.
SCRIPT = """
    local requests, number = {{}}, 0
    init = function()
        for index = 1, {count} do requests[index] = wrk.format("GET", "/f" .. index .. "/Ada") end
    end
    request = function()
        number = number % {count} + 1
        return requests[number]
    end
"""


def functions(count):
    return lambda home: host(home, {f"f{index}": manifest(f"f{index}", "{ max: 1, concurrency: 64 }")
                                    for index in range(1, count + 1)})


def measure(options):
    need("nginx", "wrk")
    connections = options.connections or CONNECTIONS
    contenders = {YARDSTICK: (nginx_proxy, 1),
                  **{f"apus, {count} function{'s'[:count > 1]}": (functions(count), count) for count in COUNTS}}
    with temporary_folder() as home, started(
            {name: start for name, (start, _) in contenders.items()}, path="/f1/Ada") as servers:
        own = {}
        for name, (_, count) in contenders.items():
            own[name] = {"script": home / f"{count}.lua"}
            own[name]["script"].write_text(SCRIPT.format(count=count))
        results = driven(servers, options, connections, own)
    yield Table(
        f"Many functions, {connections} connections", compared(results, YARDSTICK, {}),
        "Requests go to the functions in turn; each function has one worker, with `concurrency: 64`.")
