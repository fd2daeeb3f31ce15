"""The test vectors of docs/worker-protocol.md, against the Python SDK: what it sends, byte by byte, and what it takes."""
import struct
import sys
import unittest

from host import *

sys.path.append(str(SDK))
import apus  # noqa: E402

# Does with call 7 what the vectors say.
HANDLER = """
import itertools, apus

@apus.http
def respond(request, context):
    state = context.state
    if request.query == "a=1":
        assert (request.method, request.path) == ("POST", "/hello/Ada"), request.path
        assert (request.remote_address, request.parameters) == ("127.0.0.1:50000", {"name": "Ada"})
        assert request.headers == [("Host", "localhost")] and request.headers.get("HOST") == "localhost"
        assert request.read() == b"hi" and context.attempt == 1 and 9 < context.remaining <= 10
        assert context.invocation == "019aa3d8-6c00-7000-8000-000000000001"
        return apus.Response("Hello, Ada!\\n", headers={"Content-Type": "text/plain"})
    if request.path == "/state":
        assert state.get("k") == b"v"
        state.set("k", b"\\0\\xff")
        state.delete("k")
        assert state.increment("n", -2) == 40
        assert state.list("p/", after="p/1", limit=100) == [("p/2", b"x")]
        state.immediately(lambda state: None)
        return "done"
    if request.path == "/commit":
        runs = [state.get(key) for key in "abc"]
        return str(state.immediately(lambda state: runs.append(0) or len(runs) - 3))
    if request.path == "/send":
        for key in "abcd":
            state.get(key)
        return str(context.send("order.placed", b"{}", after=10, subject="42"))
    if request.path == "/abandon":
        state.immediately(lambda state: 1 / 0)
    if request.path == "/refused":
        try:
            assert state.get("k") is None
            state.get("k")
        except apus.StateError as error:
            return f"{error.code}: {error}"
    if request.path == "/list":
        return str([context.state.get("a"), context.state.get("b"), context.state.list()])
    if request.path == "/stream":
        return apus.Response(iter(["more"]), headers={"Content-Type": "text/event-stream"})
    if request.path == "/body":
        return str(len(request.read()))
    if request.path == "/gone":
        return broken()
    if request.path == "/read":
        try:
            return request.read()
        except apus.Disconnected as error:
            return str(error)
    return context.function

def broken():
    yield "more"
    raise apus.Permanent("gone")

@apus.timer
def timer(event, context):
    assert event.type == "apus.timer.due" and context.attempt == 2
    if FAIL:
        raise apus.Permanent("no such table")

@apus.state
def follow(event, context):
    assert (event.change, event.key, event.version, event.previous) == ("set", "entry/1", 5, 3), event.attributes
    assert event.read() == b"hi"

apus.run()
"""


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vectors, cls.seen = vectors(), set()

    @classmethod
    def tearDownClass(cls):
        missing = set(cls.vectors) - cls.seen
        assert not missing, f"no test for the vectors {sorted(missing)}"

    def vector(self, name):
        self.seen.add(name)
        return self.vectors[name]

    def start(self, fail=False, greet=True):
        host = Host(f"FAIL = {fail}\n{HANDLER}", concurrency=4, greet=greet)
        self.addCleanup(host.close)
        return host

    def raw(self, host):
        """The next frame with its header, as it came."""
        frame = host.receive()
        return struct.pack("<IBBHI", len(frame.payload), frame.kind, frame.end, 0, frame.call) + frame.payload

    def test_hello_and_welcome(self):
        host = self.start(greet=False)
        self.assertEqual(self.raw(host).replace(b"\x0d\0\0\0apus-python", b"\x0c\0\0\0apus-swift"),
                         self.vector("hello").replace(b"\x14", b"\x15", 1).replace(b"\1\0\3\0", b"\1\0\x13\0"))
        host.write(self.vector("welcome"))
        host.call(1)
        self.assertEqual(host.answer(1)[2], b"hello")
        host.write(self.vector("goodbye"))
        self.assertEqual(host.process.wait(30), 0)

    def test_request_and_response(self):
        host = self.start()
        host.write(self.vector("call-http"))
        self.assertEqual(self.raw(host), self.vector("response"))

    def test_event_and_answers(self):
        host = self.start()
        host.write(self.vector("call-timer"))
        self.assertEqual(self.raw(host), self.vector("acknowledge"))
        host = self.start(fail=True)
        host.write(self.vector("call-timer"))
        self.assertEqual(self.raw(host), self.vector("failure"))

    def test_change_of_state(self):
        host = self.start()
        host.write(self.vector("call-state"))
        self.assertEqual(host.expect(ACKNOWLEDGE, 9).call, 9)

    def test_operations_and_replies(self):
        host = self.start()
        host.call(7, "/state")
        self.assertEqual(self.raw(host), self.vector("state-get"))
        host.write(self.vector("reply-value"))
        for name in "state-set", "state-delete", "state-increment":
            self.assertEqual(self.raw(host), self.vector(name))
        host.write(self.vector("reply-number"))
        self.assertEqual(self.raw(host), self.vector("state-list"))
        # One entry, and there are more: the next page begins behind it.
        host.write(self.vector("reply-entries"))
        request, _, code, read = host.operation()
        self.assertEqual((code, read.text(), read.take("B"), read.text(), read.take("I")), (4, "p/", 1, "p/2", 99))
        host.reply(7, request, b"\3\0" + struct.pack("<I", 0))
        request = host.operation()[0]
        host.reply(7, request, b"\4")
        self.assertEqual(host.answer(7)[2], b"done")

    def test_commit_and_conflict(self):
        host = self.start()
        for vector, runs in ("reply-done", b"1"), ("reply-conflict", b"2"):
            host.call(7, "/commit")
            for _ in range(3):
                host.reply(7, host.operation()[0], b"\1")
            self.assertEqual(self.raw(host), self.vector("state-commit"))
            host.write(self.vector(vector))
            if runs == b"2":
                request, scope, code, _ = host.operation()
                self.assertEqual((scope, code), (2, 5))
                host.reply(7, request, b"\4")
            self.assertEqual(host.answer(7)[2], runs)

    def test_send(self):
        host = self.start()
        host.call(7, "/send")
        for _ in range(4):
            host.reply(7, host.operation()[0], b"\1")
        self.assertEqual(self.raw(host), self.vector("state-send"))
        host.reply(7, 5, b"\4")
        self.assertEqual(host.answer(7)[2], b"None")

    def test_instances_are_left_to_others(self):
        # A HELLO without bit 15 is never answered with FORK.
        self.assertEqual(self.start().hello.read.take("I") >> 31, 0)
        self.seen |= {"fork", "forked"}

    def test_values_in_memory_are_left_to_others(self):
        # Nor is one without bit 13 ever given any.
        self.assertEqual(self.start().hello.read.take("I") >> 29 & 1, 0)
        self.seen.add("state-found")

    def test_list(self):
        host = self.start()
        host.call(7, "/list")
        for _ in range(2):
            host.reply(7, host.operation()[0], b"\1")
        self.assertEqual(self.raw(host), self.vector("state-list-first"))
        host.reply(7, 3, b"\3\0" + struct.pack("<I", 0))
        self.assertEqual(host.answer(7)[2], b"[None, None, []]")

    def test_abandon(self):
        host = self.start()
        host.call(7, "/abandon")
        self.assertEqual(self.raw(host), self.vector("state-abandon"))
        host.expect(FAILURE, 7)

    def test_absent_and_refused(self):
        host = self.start()
        host.call(7, "/refused")
        self.assertEqual(host.operation()[0], 1)
        host.write(self.vector("reply-absent"))
        request = host.operation()[0]
        host.write(self.vector("reply-failed").replace(b"\1\0\0\0\6", struct.pack("<IB", request, 6)))
        self.assertEqual(host.answer(7)[2], b"invalid: an empty key (invalid)")

    def test_stream(self):
        host = self.start()
        host.call(7, "/stream")
        self.assertEqual(self.raw(host), self.vector("response-begin"))
        self.assertEqual(self.raw(host), self.vector("body"))
        self.assertEqual(self.raw(host), self.vector("body-end"))

    def test_body_and_credit(self):
        host = self.start()
        host.call(7, "/body", method="POST", end=False)
        host.send(BODY, 7, bytes(131_072 - 4))
        host.write(self.vector("body"))
        self.assertEqual(self.raw(host), self.vector("credit"))
        host.write(self.vector("body-end"))
        self.assertEqual(host.answer(7)[2], b"131072")

    def test_resets(self):
        host = self.start()
        host.call(7, "/gone")
        host.expect(RESPONSE, 7)
        host.expect(BODY, 7)
        self.assertEqual(self.raw(host), self.vector("reset"))
        host.call(7, "/read", method="POST", end=False)
        host.write(self.vector("reset"))
        self.assertEqual(host.answer(7)[2], b"gone")

    def test_cancel(self):
        host = self.start()
        host.call(7, "/read", method="POST", end=False)
        host.write(self.vector("cancel"))
        host.expect(FAILURE, 7)

    def test_log(self):
        worker = apus._Worker(*self.pair(), {})
        worker._log(8, 2, "signed", (("name", "Ada"),))
        self.assertEqual(self.other.recv(1000), self.vector("log"))

    def pair(self):
        one, self.other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(self.other.close)
        return (one,)


if __name__ == "__main__":
    unittest.main()
