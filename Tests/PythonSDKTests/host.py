"""A host for one worker: speaks docs/worker-protocol.md from the other side, by its own reading of the page."""
import contextlib
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SDK = ROOT / "Runtime" / "SDK" / "python"
UUID = bytes.fromhex("019aa3d86c0070008000000000000001")

HELLO, WELCOME, CALL, CANCEL, GOODBYE = 1, 2, 3, 4, 5
BODY, CREDIT, RESET = 0x10, 0x11, 0x12
RESPONSE, ACKNOWLEDGE, FAILURE, LOG, STATE, REPLY = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25


def vectors():
    """The test vectors of the page, by name."""
    page = (ROOT / "docs" / "worker-protocol.md").read_text()
    return {
        name: bytes.fromhex("".join(line.partition(";")[0] for line in block.splitlines()))
        for name, block in re.findall(r"^```hex (\S+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    }


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(data)) + data


def fields(pairs):
    return struct.pack("<I", len(pairs)) + b"".join(text(part) for pair in pairs for part in pair)


class Reader:
    """Takes a payload apart."""

    def __init__(self, payload):
        self.payload, self.offset = payload, 0

    def take(self, form):
        value, = struct.unpack_from("<" + form, self.payload, self.offset)
        self.offset += struct.calcsize("<" + form)
        return value

    def data(self):
        size = self.take("I")
        self.offset += size
        assert self.offset <= len(self.payload)
        return self.payload[self.offset - size:self.offset]

    def text(self):
        return self.data().decode()

    def fields(self):
        return [(self.text(), self.text()) for _ in range(self.take("I"))]

    def rest(self):
        rest = self.payload[self.offset:]
        self.offset = len(self.payload)
        return rest


class Frame:
    def __init__(self, kind, end, call, payload):
        self.kind, self.end, self.call, self.payload = kind, end, call, payload
        self.read = Reader(payload)

    def __repr__(self):
        return f"<frame {self.kind:#x} call {self.call} end {self.end} {self.payload[:200]!r}>"


class Host:
    """The host's end of a worker that runs `script`, a handler's text."""

    def __init__(self, script, concurrency=1, window=262_144, greet=True):
        self.socket, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.buffer, self.gathering = b"", None
        self.window = window
        self.stderr = tempfile.TemporaryFile()
        self.stdout = tempfile.TemporaryFile()
        # Bash puts the socket where a worker expects it.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" -c "$1" 3>&{end.fileno()}', sys.executable, script], pass_fds=[end.fileno()],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SDK), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL, stdout=self.stdout, stderr=self.stderr)
        end.close()
        if greet:
            self.hello = self.receive()
            assert self.hello.kind == HELLO, self.hello
            self.send(WELCOME, 0, struct.pack("<HII", 1, concurrency, window) + text("hello"))

    def send(self, kind, call, payload=b"", end=False):
        self.write(struct.pack("<IBBHI", len(payload), kind, end, 0, call) + payload)

    def write(self, data):
        if self.gathering is None:
            self.socket.sendall(data)
        else:
            self.gathering += data

    @contextlib.contextmanager
    def gathered(self):
        """Sends at once what is sent within; nothing, when the caller takes the bytes out."""
        self.gathering = bytearray()
        yield self.gathering
        data, self.gathering = self.gathering, None
        self.socket.sendall(data)

    def call(self, number, path="/", body=b"", end=True, method="GET", query="", headers=(), parameters=(), time=10.0):
        head = struct.pack("<B16sIQ", 0, UUID, 1, int(time * 1e6))
        head += b"".join(map(text, (method, path, query, "127.0.0.1:50000"))) + fields(parameters) + fields(headers)
        self.send(CALL, number, head + body, end)

    def event(self, number, kind=1, attributes=(), data=b"", end=True):
        head = struct.pack("<B16sIQ", kind, UUID, 1, 10_000_000) + fields(list(attributes))
        self.send(CALL, number, head + data, end)

    def receive(self):
        while len(self.buffer) < 12 or len(self.buffer) < 12 + struct.unpack_from("<I", self.buffer)[0]:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(self.errors())
            self.buffer += data
        length, kind, end, zero, call = struct.unpack_from("<IBBHI", self.buffer)
        assert not zero and end in (0, 1)
        frame = Frame(kind, bool(end), call, self.buffer[12:12 + length])
        self.buffer = self.buffer[12 + length:]
        return frame

    def expect(self, kind, call=None):
        """The next frame, which must be such a one. Log lines on the way are passed over."""
        frame = self.receive()
        while frame.kind == LOG != kind:
            frame = self.receive()
        if frame.kind != kind or call not in (None, frame.call):
            raise AssertionError(f"{frame} instead of {kind:#x} of call {call}; {self.errors()}")
        return frame

    def answer(self, call=None):
        """The whole answer to a call: its status, header and body, with credit as it goes."""
        frame = self.expect(RESPONSE, call)
        status, header, body, end = frame.read.take("H"), frame.read.fields(), frame.read.rest(), frame.end
        while not end:
            if frame.payload:
                self.send(CREDIT, frame.call, struct.pack("<I", len(frame.payload)))
            frame = self.expect(BODY, frame.call)
            body += frame.payload
            end = frame.end
        return status, header, body

    def operation(self):
        """The next STATE: its request, scope and code, and what is left to be read."""
        frame = self.expect(STATE)
        return frame.read.take("I"), frame.read.take("I"), frame.read.take("B"), frame.read

    def reply(self, call, request, payload):
        self.send(REPLY, call, struct.pack("<I", request) + payload)

    def goodbye(self):
        """Asks the worker to end, and gives its exit status."""
        self.send(GOODBYE, 0)
        return self.process.wait(30)

    def state(self):
        """The worker's state, such as R or S (proc_pid_stat(5))."""
        return pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def resident(self):
        """The worker's memory, in bytes."""
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read().decode()

    def close(self):
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self.stderr.close()
        self.stdout.close()


def eventually(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False
