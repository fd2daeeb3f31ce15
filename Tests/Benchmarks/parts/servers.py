"""The servers that are measured, and how."""
import contextlib
import dataclasses
import getpass
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from parts.processes import children, processor_seconds
from parts.report import interleaved

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / ".build" / "release"
ANSWER = "Hello, Ada!\n"
GREETING = 'location / { return 200 "Hello, Ada!\\n"; }'


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_serving(port, path, process, method="GET", body=None):
    end, problem = time.monotonic() + 20, "no answer"
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"a server ended at once with status {process.returncode}; its output is above")
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read().decode()
            if response.status == 200:
                return text
            problem = f"{response.status} {text}"
        time.sleep(0.02)
    sys.exit(f"{process.args} does not serve {path} on port {port}: {problem}")


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def nginx_configuration(home, body):
    """The path of one, in its folder, for an nginx with one worker. `body` is its http block; it may use the directives
    of the echo module."""
    home.mkdir()
    path = home / "nginx.conf"
    path.write_text(f"""
        load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
        user {getpass.getuser()}; daemon off; pid {home}/pid; error_log {home}/error.log; worker_processes 1;
        events {{ worker_connections 4096; }}
        http {{
            access_log off; keepalive_requests 1000000000; default_type text/plain;
            client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
            uwsgi_temp_path {home}; scgi_temp_path {home};
            {body}
        }}""")
    return path


def nginx(home, body):
    return running("nginx", "-c", str(nginx_configuration(home, body)), "-p", str(home))


@contextlib.contextmanager
def nginx_proxy(folder, locations=GREETING, more="", tcp=False):
    """nginx as reverse proxy to an nginx that answers the same bytes, on a Unix socket or, with `tcp`, on loopback. `more`
    is for the proxy."""
    upstream, port = f"127.0.0.1:{free_port()}" if tcp else f"unix:{folder}/upstream.sock", free_port()
    with nginx(folder / "upstream", f"server {{ listen {upstream}; {locations} }}"):
        with nginx(folder / "proxy", f"""
            upstream backend {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
            server {{ listen 127.0.0.1:{port}; {more}
                      location / {{ proxy_pass http://backend; proxy_http_version 1.1;
                                    proxy_set_header Connection ""; }} }}
            """) as process:
            yield port, process


@contextlib.contextmanager
def host(folder, manifests, admin=None):
    """Apus with these manifests, {name: text}, and its defaults in all else."""
    home = folder / "manifests"
    home.mkdir()
    for name, text in manifests.items():
        (home / f"{name}.yaml").write_text(text)
    port = free_port()
    with running(str(BUILD / "apus"), "serve", str(home), "--data", str(folder / "data"),
                 "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin or free_port()}",
                 stderr=subprocess.DEVNULL) as process:
        yield port, process


def manifest(name, workers, command=f"{BUILD}/Hello", contract="apus", more="", path="{name?}"):
    """That of a function which answers /NAME/path. `more` are further lines."""
    return f"""
name: {name}
handler: {{ command: [{command}], contract: {contract} }}
triggers: [{{ http: {{ path: "/{name}/{path}" }} }}]
workers: {workers}
{more}
"""


def apus(folder, workers, command=f"{BUILD}/Hello", contract="apus", more="", admin=None):
    """Apus with one function, hello."""
    return host(folder, {"hello": manifest("hello", workers, command, contract, more)}, admin)


@dataclasses.dataclass
class Server:
    """What has been started: the port that it listens on, and its processes without their descendants."""
    port: int
    processes: set


def wrk(server, connections, seconds, script=None, path="/hello/Ada", headers=()):
    """Requests a second, percentiles of the latency, and the processor time of the server's processes for a request. Ends
    the part when a request fails."""
    before = processor_seconds(server.processes)
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-s", str(script)] if script else []),
         *(word for header in headers for word in ("-H", header)), f"http://127.0.0.1:{server.port}{path}"],
        capture_output=True, text=True, check=True).stdout
    used = processor_seconds(server.processes) - before
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"requests failed:\n{output}")
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}

    def percentile(name):
        number, suffix = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", output).groups()
        return float(number) * unit[suffix]
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    return {"requests/s": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
            "p50 ms": percentile(50), "p99 ms": percentile(99), "CPU µs": used * 1e6 / requests}


def compiled(*sources, libraries=()):
    """The program that these C sources of this folder make; compiled when they have changed."""
    home = ROOT / "Tests" / "Benchmarks"
    paths = [home / name for name in sources]
    program = ROOT / ".build" / "benchmarks" / paths[0].stem
    if not program.exists() or program.stat().st_mtime < max(path.stat().st_mtime for path in paths):
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["cc", "-O2", "-pthread", f"-I{home}/CWatchdog/include", "-o", program, *paths,
             *(f"-l{name}" for name in libraries)], check=True)
    return program


@contextlib.contextmanager
def temporary_folder():
    """That ends with the block."""
    with tempfile.TemporaryDirectory(prefix="apus-bench-") as name:
        yield pathlib.Path(name)


def need(*tools, target="bench"):
    for tool in tools:
        if shutil.which(str(tool)) is None:
            sys.exit(f"{tool} is missing; run `make {target}`")


@contextlib.contextmanager
def started(contenders, answer=ANSWER, method="GET", body=None, path="/hello/Ada"):
    """Starts each of them, makes sure that it answers, with `answer` if there is one, and gives their servers."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, start in contenders.items():
            others = children()
            port, process = stack.enter_context(start(stack.enter_context(temporary_folder())))
            found = wait_until_serving(port, path, process, method, body)
            if answer not in (None, found):
                sys.exit(f"{name} answers {found!r} instead of {answer!r}")
            servers[name] = Server(port, children() - others)
        yield servers


def driven(servers, options, connections, own=None, **load):
    """What `wrk` finds at each of them, round by round, after a second that does not count. `own` has arguments of `wrk`
    that are for one of them, {name: {…}}."""
    def drive(name, seconds):
        return wrk(servers[name], connections, seconds, **load, **(own or {}).get(name, {}))
    for name in servers:
        drive(name, 1)
    return interleaved(options, {name: lambda name=name: drive(name, options.seconds) for name in servers})
