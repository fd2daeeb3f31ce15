"""Shows how busy the machine is: live in the browser, and over the last day."""
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

PAGE = """<!doctype html><meta charset="utf-8"><title>Load</title>
<h1>Load <output id="load"></output></h1>
<p>Memory in use: <output id="memory"></output> %</p>
<script>
new EventSource("/load/events").onmessage = event => {
  const sample = JSON.parse(event.data)
  for (const name of ["load", "memory"]) document.getElementById(name).textContent = sample[name]
}
</script>
"""


def sample():
    """Processes that run or want to, in the mean of a minute, and the share of memory in use (proc(5))."""
    with open("/proc/loadavg") as file:
        load = float(file.read().split()[0])
    with open("/proc/meminfo") as file:
        memory = {line.split(":")[0]: int(line.split()[1]) for line in file}
    used = 100 - 100 * memory["MemAvailable"] // memory["MemTotal"]
    return {"time": int(time.time()), "load": load, "memory": used}


class Load(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        match self.path.split("?")[0]:
            case "/load/events":
                self.stream()
            case "/load/history":
                self.answer("application/json", json.dumps(self.history()) + "\n")
            case _:
                self.answer("text/html; charset=utf-8", PAGE)

    def do_POST(self):
        """Takes the event of the timer: keeps a sample. The function's state is an HTTP API, and what is written there is
        committed with the invocation."""
        self.state("PUT", json.dumps((self.history() + [sample()])[-1440:]))
        self.send_response(204)
        self.end_headers()

    def stream(self):
        """Server-sent events, one a second, until the reader leaves or the invocation's time is up."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(f"data: {json.dumps(sample())}\n\n".encode())
            time.sleep(1)

    def history(self):
        return json.loads(self.state("GET") or "[]")

    def state(self, method, value=None):
        request = Request(os.environ["APUS_API"] + "/state/history", value and value.encode(), method=method)
        request.add_header("Authorization", "Bearer " + os.environ["APUS_TOKEN"])
        request.add_header("Apus-Invocation", self.headers["Apus-Invocation"])
        try:
            with urlopen(request) as answer:
                return answer.read()
        except OSError as error:
            if getattr(error, "code", None) != 404:
                raise

    def answer(self, kind, text):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass  # The reader has left.

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Load).serve_forever()
