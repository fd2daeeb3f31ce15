"""Bodies of requests and responses of many sizes, beside nginx, which streams them as Apus does."""
import contextlib

from parts.report import Row, Table, brief, ratios
from parts.servers import BUILD, apus, driven, need, nginx_proxy, started, temporary_folder

# Of 10 MiB, few: else the bodies on their way fill the memory.
MANY, FEW = 32, 4
YARDSTICK, NATIVE = "nginx", "apus"
SIZES = {"0 bytes": 0, "1 KiB": 1 << 10, "100 KiB": 100 << 10, "10 MiB": 10 << 20}
STREAMED = "client_max_body_size 16m; proxy_request_buffering off; proxy_max_temp_file_size 0;"


@contextlib.contextmanager
def files(home):
    """nginx before an nginx that sends files, and reads what it is sent."""
    for size in SIZES.values():
        (home / str(size)).write_bytes(b"x" * size)
    # An answer before the end of the request would end the connection. What is read stays in memory.
    places = f"""
        client_max_body_size 16m; client_body_buffer_size 16m; sendfile on;
        location = /hello/bytes {{ root {home}; try_files /$arg_size =404; }}
        location = /hello/count {{ echo_read_request_body; echo read; }}"""
    with nginx_proxy(home, places, STREAMED) as (port, process):
        yield port, process


CONTENDERS = {
    YARDSTICK: files,
    NATIVE: lambda home: apus(
        home, "{ concurrency: 64 }", f"{BUILD}/ContractWorker", more="limits: { body: 16MiB, memory: 2GiB }"),
}


def row(name, results):
    """A row with the figures of both."""
    values = {f"{who} {column}": results[who][column] for column in ("requests/s", "p99 ms") for who in CONTENDERS}
    values["ratio"] = ratios(results[NATIVE]["requests/s"], results[YARDSTICK]["requests/s"])
    return Row(name, values)


def measure(options):
    need("nginx", "wrk", BUILD / "ContractWorker")
    found = []
    options = brief(options)
    with temporary_folder() as home, started(CONTENDERS, answer=None, path="/hello/count", method="POST") as servers:
        for words, size in SIZES.items():
            connections = options.connections or (MANY if size < 1 << 20 else FEW)
            results = driven(servers, options, connections, path=f"/hello/bytes?size={size}")
            found.append(row(f"response of {words}", results))
            if size:
                script = home / f"{size}.lua"
                script.write_text(f'wrk.method = "POST"\nwrk.body = string.rep("x", {size})\n')
                results = driven(servers, options, connections, path="/hello/count", script=script)
                found.append(row(f"request of {words}", results))
    yield Table(
        "Bodies", found,
        f"At {MANY} connections, those of 10 MiB at {FEW}. nginx passes bodies on as they come, as Apus does "
        "(`proxy_request_buffering off`, no temporary files); its upstream sends files and reads what it is sent.")
