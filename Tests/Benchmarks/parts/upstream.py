"""The same HTTP server behind Apus, as a function with `contract: http`, and behind nginx."""
import contextlib
import shutil

from parts.report import Table, compared
from parts.servers import GREETING, apus, driven, need, nginx_configuration, nginx_proxy, started

CONNECTIONS = 32
YARDSTICK = "nginx before nginx"


@contextlib.contextmanager
def apus_before_nginx(home):
    """Apus starts nginx, which listens on the port that it is told."""
    configuration = nginx_configuration(home / "upstream", f"server {{ listen 127.0.0.1:PORT; {GREETING} }}")
    script = home / "serve.sh"
    # In the sandbox there is no other user for a worker process of nginx to become.
    script.write_text(f"""
        sed "s/PORT/$PORT/" {configuration} > {configuration}.own
        exec {shutil.which("nginx")} -p {configuration.parent} -c {configuration}.own -e stderr -g 'master_process off;'
    """)
    with apus(home, "{ max: 1, concurrency: 64 }", f"sh, {script}", "http",
              f"sandbox: {{ read: [{home}], write: [{home}/upstream] }}") as (port, process):
        yield port, process


CONTENDERS = {
    YARDSTICK: lambda home: nginx_proxy(home, tcp=True),
    "apus before nginx": apus_before_nginx,
}


def measure(options):
    need("nginx", "wrk")
    connections = options.connections or CONNECTIONS
    with started(CONTENDERS) as servers:
        results = driven(servers, options, connections)
    yield Table(
        f"An HTTP server behind Apus, {connections} connections", compared(results, YARDSTICK, {}),
        "The upstream is nginx on a TCP port of loopback for both; for Apus it is a function with `contract: http`.")
