"""A handler by the contract `http`, of Python's standard library alone: it does what the last component of the path asks
for, as Tests/ContractWorker does.

SERVER_START in its environment says how it starts: `never` (it does not listen), `slow` (after a second), `unwell` (its
health is bad for the first three times that it is asked), or `crash`.
"""
import base64
import hashlib
import os
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

START = os.environ.get("SERVER_START", "")
asked_for_health = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):
        pass

    def handle_any(self):
        url = urlsplit(self.path)
        self.arguments = {name: values[0] for name, values in parse_qs(url.query).items()}
        operation = url.path.rsplit("/", 1)[-1].replace("-", "_") or "event"
        getattr(self, "do_it_" + operation)()

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    # The request's body

    def chunks(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.trailers = []
            while line := self.rfile.readline().strip():
                self.trailers.append(line.decode())
        else:
            left = int(self.headers.get("Content-Length", 0))
            while left > 0:
                chunk = self.rfile.read(min(left, 65536))
                left -= len(chunk)
                yield chunk

    # The response

    def answer(self, body=b"done\n", status=200, headers=()):
        body = body if isinstance(body, bytes) else str(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin_chunks(self, headers=()):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    # Operations

    def do_it_echo(self):
        self.answer(b"".join(self.chunks()))

    def do_it_echo_stream(self):
        self.begin_chunks()
        for data in self.chunks():
            self.chunk(data)
        self.wfile.write(b"0\r\n\r\n")

    def do_it_count(self):
        self.answer(f"{sum(map(len, self.chunks()))}\n")

    def do_it_stream(self):
        size, count = int(self.arguments.get("size", 1024)), int(self.arguments["chunks"])
        self.begin_chunks()
        for _ in range(count):
            self.chunk(b"x" * size)
            print("wrote", file=sys.stderr, flush=True)
        self.wfile.write(b"0\r\n\r\n")

    def do_it_trickle(self):
        self.begin_chunks([("Content-Type", "text/event-stream")])
        self.chunk(b"data: first\n\n")
        # The second event comes when a second request asks for it.
        released.wait(60)
        self.chunk(b"data: second\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def do_it_release(self):
        released.set()
        self.answer()

    def do_it_trailers(self):
        body = b"".join(self.chunks())
        self.begin_chunks([("Trailer", "Checksum, Set-Cookie")])
        self.chunk(body + "".join(self.trailers).encode())
        self.wfile.write(b"0\r\nChecksum: abc\r\nSet-Cookie: a=b\r\n\r\n")

    def do_it_fields(self):
        # What has come, sorted, and some that must not get through.
        lines = sorted(f"{name}: {value}\n" for name, value in self.headers.items())
        hidden = [("Connection", "X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=60"), ("X-Public", "2")]
        self.answer(f"{self.command} {self.path}\n" + "".join(lines), headers=hidden)

    def do_it_status(self):
        headers = [("Retry-After", self.arguments["after"])] if "after" in self.arguments else []
        self.answer(b"", int(self.arguments["status"]), headers)

    def do_it_interim(self):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        self.answer(b"final\n")

    def do_it_unsized(self):
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nto the end")

    def do_it_reset(self):
        # Of an answer that ends with its connection, which does not end well.
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"a part\n")
        released.wait(60)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def do_it_pid(self):
        self.answer(str(os.getpid()))

    def do_it_connection(self):
        self.answer(str(self.client_address[1]))

    def do_it_close_silently(self):
        # The connection looks alive to the host, and is closed when the next request comes on it.
        self.answer("closing\n")
        self.rfile.readline()
        self.close_connection = True

    def do_it_environment(self):
        value = os.environ.get(self.arguments["name"])
        self.answer(value or "", 404 if value is None else 200)

    def do_it_sleep(self):
        time.sleep(int(self.arguments["ms"]) / 1000)
        self.answer()

    def do_it_stubborn(self):
        print("stubborn", file=sys.stderr, flush=True)
        time.sleep(60)

    def do_it_ignore_term(self):
        time.sleep(3600)

    def do_it_crash(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_it_crash_streaming(self):
        self.begin_chunks()
        self.chunk(b"the first part\n")
        released.wait(60)
        os.kill(os.getpid(), signal.SIGKILL)

    def do_it_exit(self):
        os._exit(int(self.arguments["status"]))

    def do_it_hang_up(self):
        self.close_connection = True

    def do_it_garbage(self):
        self.close_connection = True
        self.wfile.write(b"\xff\xfe garbage, not HTTP\r\n\r\n" * 10)

    def do_it_half(self):
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    def do_it_flood(self):
        line = b"l" * 1023 + b"\n"
        for _ in range(int(self.arguments["mib"])):
            os.write(2, line * 1024)
        self.answer()

    def do_it_allocate(self):
        try:
            self.answer(len(bytearray(int(self.arguments["mib"]) << 20)))
        except MemoryError:
            os._exit(1)

    def do_it_event(self):
        body = b"".join(self.chunks())
        fields = sorted(f"{name}={value}" for name, value in self.headers.items() if name.startswith("ce-"))
        if fields:
            fields.append(self.headers.get("Content-Type", "no type"))
        print(self.path, *fields, body.decode(), flush=True)
        self.answer(b"", int(os.environ.get("SERVER_EVENT_STATUS", 204)), [("Retry-After", "7")])

    def do_it_events(self):
        self.do_it_event()

    def do_it_healthz(self):
        global asked_for_health
        asked_for_health += 1
        self.answer("", 503 if START == "unwell" and asked_for_health <= 3 else 200)

    def do_it_asked_for_health(self):
        self.answer(asked_for_health)

    def do_it_upgrade(self):
        # The handshake of RFC 6455 §4.2.2, then whatever comes goes back.
        self.close_connection = True
        if self.headers.get("Upgrade") != "websocket":
            return self.answer("not asked for\n")
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\nwelcome ".encode())
        while data := self.connection.recv(65536):
            self.connection.sendall(data)


released = threading.Event()


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    address_family = socket.AF_INET6 if ":" in os.environ.get("HOST", "") else socket.AF_INET


if START == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if START == "slow":
    time.sleep(1)
if START == "never":
    time.sleep(3600)
if "ignore-term" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Handler).serve_forever()
