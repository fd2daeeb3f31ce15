"""What the Python SDK does for handlers, against a host that the tests play."""
import ast
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from host import *

START = "import apus, asyncio, json, logging, os, sys, threading, time\n"


class Case(unittest.TestCase):
    def start(self, handlers, **options):
        host = Host(f"{START}{handlers}\napus.run()\n", **options)
        self.addCleanup(host.close)
        return host


class Requests(Case):
    def test_what_is_returned_becomes_the_response(self):
        host = self.start("""
answers = {
    "text": "é", "bytes": b"\\0\\xff", "json": {"a": [1, "é"]}, "none": None, "empty": "",
    "html": apus.Response("<p>", 418, {"content-type": "text/html"}),
    "pairs": apus.Response(b"", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
}
apus.http(lambda request, context: answers[request.path])
""")
        plain = [("Content-Type", "text/plain; charset=utf-8")]
        for number, (path, answer) in enumerate({
            "text": (200, plain, "é".encode()),
            "bytes": (200, [("Content-Type", "application/octet-stream")], b"\0\xff"),
            "json": (200, [("Content-Type", "application/json")], '{"a":[1,"é"]}'.encode()),
            "none": (204, [], b""),
            "empty": (200, plain, b""),
            "html": (418, [("content-type", "text/html")], b"<p>"),
            "pairs": (200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b""),
        }.items(), 1):
            host.call(number, path)
            self.assertEqual(host.answer(number), answer)

    def test_what_cannot_be_sent_fails_alone(self):
        host = self.start("""
answers = [object(), apus.Response("x", headers={"A": 1}), (part for part in [5]), "fine"]
apus.http(lambda request, context: answers.pop(0))
""")
        for number in range(1, 4):
            host.call(number)
            self.assertEqual(host.expect(FAILURE, number).read.take("B"), 0)
        host.call(4)
        self.assertEqual(host.answer(4)[2], b"fine")

    def test_what_is_more_than_a_str_or_a_response_is_one_all_the_same(self):
        host = self.start("""
import enum, functools
class Markup(str):
    pass
class Colour(str, enum.Enum):
    red = "red"
class Page(apus.Response):
    pass
async def respond(context, request, _):
    await asyncio.sleep(0)
    return {"str": Markup("<p>"), "enum": Colour.red, "response": Page("<p>", 418), "body": apus.Response(Markup("<p>")),
            "bytes": type("Data", (bytes,), {})(b"<p>")}[request.path]
apus.http(functools.partial(functools.partial(respond), None))
""")
        for number, (path, status, body) in enumerate((
            ("str", 200, b"<p>"), ("enum", 200, b"red"), ("response", 418, b"<p>"), ("body", 200, b"<p>"),
        ), 1):
            host.call(number, path)
            self.assertEqual(host.answer(number), (status, [("Content-Type", "text/plain; charset=utf-8")], body))
        host.call(9, "bytes")
        self.assertEqual(host.answer(9), (200, [("Content-Type", "application/octet-stream")], b"<p>"))

    def test_what_is_left_to_be_awaited_is_an_error_that_says_so(self):
        host = self.start("""
async def work(what, context):
    return "done"
apus.http(lambda request, context: work(request, context))
apus.timer(lambda event, context: work(event, context))
""")
        host.call(1)
        self.assertIn("async def", host.expect(FAILURE, 1).payload.decode("utf-8", "replace"))
        # An event that nobody has handled must not count as handled.
        host.event(2)
        self.assertIn("async def", host.expect(FAILURE, 2).payload.decode("utf-8", "replace"))

    def test_a_reason_of_any_length_fails_its_call_alone(self):
        host = self.start("""
@apus.http
def respond(request, context):
    if request.path == "stream":
        yield "part"
    raise ValueError("é" * (5 << 20))
""")
        for number, path, kind in (1, "", FAILURE), (2, "stream", RESET):
            host.call(number, path)
            frame = host.receive()
            while frame.kind != kind:
                self.assertLess(len(frame.payload), 70_000)
                frame = host.receive()
            reason = frame.payload[5 if kind == FAILURE else 4:].decode()
            self.assertLess(len(reason.encode()), 65_536 + 20)
            self.assertTrue(reason.startswith("ValueError: éé") and reason.endswith("… (cut)"), reason[-20:])

    def test_query_headers_and_body_are_read(self):
        host = self.start("""
@apus.http
def respond(request, context):
    assert request.query_parameters == {"a": "2", "b": "é ", "c": ""}, request.query_parameters
    assert request.headers.all("X") == ["1", "2"] and request.headers.get("y", "-") == "-" and "x" in request.headers
    assert request.read() == request.read() == b'{"n": 1}'
    return request.json()["n"]
""")
        host.call(1, query="a=1&a=2&b=%C3%A9+&c=", headers=[("x", "1"), ("X", "2")], body=b'{"n": 1}', method="POST")
        self.assertEqual(host.answer(1)[2], b"1")

    def test_what_is_not_utf8_is_replaced(self):
        host = self.start("apus.http(lambda r, c: r.path + r.parameters['a'] + r.headers.get('h') + r.text())")
        host.call(1, b"/\xff", parameters=[("a", b"\xfe")], headers=[("h", b"\xfd")], body=b"\xfc")
        self.assertEqual(host.answer(1)[2].decode(), "/\ufffd\ufffd\ufffd\ufffd")

    def test_a_body_that_is_no_json_is_refused(self):
        for handler in "def", "async def":
            wait = "await " if "async" in handler else ""
            host = self.start(f"@apus.http\n{handler} respond(request, context):\n    return {wait}request.json()")
            host.call(1, body=b"{", method="POST")
            status, _, body = host.answer(1)
            self.assertEqual((status, body[:20]), (400, b"The body is not JSON"))

    def test_errors(self):
        host = self.start("""
@apus.http
def respond(request, context):
    if "write" in request.path:
        context.state.set("k", "v")
    if "http" in request.path:
        raise apus.HTTPError(404, "no such page\\n", {"X": "1"})
    raise apus.Permanent("never") if "permanent" in request.path else ValueError("now")

@apus.file
def changed(event, context):
    raise apus.HTTPError(int(event.subject), "no")
""")
        host.call(1, "http")
        self.assertEqual(host.answer(1), (
            404, [("Content-Type", "text/plain; charset=utf-8"), ("X", "1")], b"no such page\n"))
        host.call(2, "http-write")
        self.assertEqual([host.operation()[:3] for _ in range(2)], [(0, 0, 1), (0, 0, 6)])
        self.assertEqual(host.answer(2)[0], 404)
        host.call(3, "permanent")
        failure = host.expect(FAILURE, 3).read
        self.assertEqual((failure.take("B"), failure.text()), (1, "never"))
        host.call(4, "other")
        log = host.expect(LOG, 4).read
        self.assertEqual(log.take("B"), 5)
        self.assertIn("Traceback", log.text())
        failure = host.expect(FAILURE, 4).read
        self.assertEqual((failure.take("B"), failure.text()), (0, "ValueError: now"))
        for number, (status, permanent) in enumerate({"422": 1, "503": 0}.items(), 5):
            host.event(number, kind=2, attributes=[("subject", status)])
            self.assertEqual(host.expect(FAILURE, number).read.take("B"), permanent)

    def test_events(self):
        host = self.start("""
@apus.timer
def timer(event, context):
    assert event.due.isoformat() == "2026-03-29T02:30:00.500000+00:00" != event.time.isoformat()
@apus.file
def changed(event, context):
    assert (event.change, event.path, event.size, event.oldname) == ("created", "/a/b", 12, ""), event.attributes
    try:
        event.nothing
    except AttributeError:
        assert event.attributes["extra"] == "1"
@apus.message
async def message(event, context):
    assert await event.json() == {"n": 1} and [part async for part in event.chunks()] == [b'{"n": 1}']
@apus.state
def changes(event, context):
    assert (event.key, event.namespace, event.version) == ("a/b", "shop", 7), event.attributes
    if event.change == "set":
        assert event.text() == "v" and event.previous == 5
    else:
        assert event.change == "deleted" and event.read() == b"" and event.previous is None
""", concurrency=5)
        self.assertEqual(host.hello.read.take("I") >> 16, 0b11110)
        time_, due = "2026-03-29T02:31:00Z", "2026-03-29T02:30:00.500Z"
        host.event(1, 1, [("time", time_), ("due", due)])
        host.event(2, 2, [("type", "apus.file.created"), ("path", "/a/b"), ("size", "12"), ("extra", "1")])
        host.event(3, 3, data=b'{"n": 1}')
        change = [("subject", "a/b"), ("source", "/state/shop"), ("version", "7")]
        host.event(4, 4, change + [("type", "apus.state.set"), ("previous", "5")], data=b"v")
        host.event(5, 4, change + [("type", "apus.state.deleted")])
        self.assertEqual({host.expect(ACKNOWLEDGE).call for _ in range(5)}, {1, 2, 3, 4, 5})


class Bodies(Case):
    WINDOW = 1000

    def test_a_stream_waits_for_credit(self):
        for handler in "def", "async def":
            host = self.start(f"""
@apus.http
{handler} respond(request, context):
    yield "x" * 2500
    yield b""
    yield bytearray(b"yy")
""", window=self.WINDOW)
            host.call(1)
            self.assertEqual(host.expect(RESPONSE, 1).payload[2:6], b"\1\0\0\0")
            sizes = []
            for credit in 1000, 400, 2000:
                frame = host.expect(BODY, 1)
                sizes.append(len(frame.payload))
                host.send(CREDIT, 1, struct.pack("<I", credit))
            self.assertEqual(sizes, [1000, 1000, 400])
            rest = [host.expect(BODY, 1) for _ in range(3)]
            self.assertEqual([(frame.payload, frame.end) for frame in rest],
                             [(b"x" * 100, False), (b"yy", False), (b"", True)])

    def test_credit_that_comes_while_the_socket_is_full_is_not_waited_for_again(self):
        host = self.start('apus.http(lambda request, context: iter([b"x" * (1 << 16)] * 32))', window=1 << 20)
        host.call(1)
        host.expect(RESPONSE, 1)
        # It has used up its credit, the socket took less, and it waits to write the rest.
        self.assertTrue(eventually(lambda: host.state() == "S"))
        host.send(CREDIT, 1, struct.pack("<I", 1 << 20))
        size, end = 0, False
        while not end:
            frame = host.expect(BODY, 1)
            size, end = size + len(frame.payload), frame.end
        self.assertEqual(size, 2 << 20)

    def test_a_response_past_the_window_says_its_length(self):
        host = self.start('apus.http(lambda request, context: "x" * 2500)', window=self.WINDOW)
        host.call(1)
        status, header, body = host.answer(1)
        self.assertEqual((header[1], body), (("Content-Length", "2500"), b"x" * 2500))

    def test_a_request_is_granted_by_half_windows(self):
        for handler, wait in ("def", ""), ("async def", "await "):
            host = self.start(f"""
@apus.http
{handler} respond(request, context):
    return str(len({wait}request.read()))
""", window=self.WINDOW)
            host.call(1, end=False, body=b"x" * 300)
            for size in 100, 200, 400:
                host.send(BODY, 1, b"x" * size)
            self.assertEqual(host.expect(CREDIT, 1).read.take("I"), 600)
            host.send(BODY, 1, b"", end=True)
            self.assertEqual(host.answer(1)[2], b"1000")

    def test_both_ways_at_once(self):
        for handler in "def", "async def":
            host = self.start(f"@apus.http\n{handler} respond(request, context):\n    return request.chunks()")
            host.call(1, end=False)
            host.send(BODY, 1, b"one")
            host.expect(RESPONSE, 1)
            self.assertEqual(host.expect(BODY, 1).payload, b"one")
            host.send(BODY, 1, b"two")
            self.assertEqual(host.expect(BODY, 1).payload, b"two")
            host.send(BODY, 1, end=True)
            self.assertTrue(host.expect(BODY, 1).end)

    def test_the_head_of_an_iterator_does_not_wait_for_its_first_part(self):
        for handler in "def", "async def":
            host = self.start(f"""
@apus.http
{handler} respond(request, context):
    return apus.Response(late(), headers={{"Content-Type": "text/event-stream"}})
def late():
    time.sleep(600)
    yield "late"
""")
            host.call(1)
            self.assertFalse(host.expect(RESPONSE, 1).end)

    def test_what_fails_before_the_first_part_is_answered(self):
        host = self.start("""
@apus.http
def respond(request, context):
    if request.path == "late":
        yield "part"
    raise apus.HTTPError(403, "no")
""")
        host.call(1, "early")
        self.assertEqual(host.answer(1)[0], 403)
        host.call(2, "late")
        host.expect(RESPONSE, 2)
        host.expect(BODY, 2)
        self.assertEqual(host.expect(RESET, 2).read.text(), "403 no")

    def test_a_generator_is_closed_when_its_call_is_cancelled(self):
        for handler, wait in ("def", ""), ("async def", "await asyncio.sleep(0)"):
            host = self.start(f"""
@apus.http
{handler} respond(request, context):
    if request.path == "next":
        yield str(closed)
    try:
        while True:
            yield "x" * 100
            {wait}
    finally:
        closed.append(1)
closed = []
""", window=self.WINDOW)
            host.call(1)
            host.expect(RESPONSE, 1)
            host.send(CANCEL, 1)
            frame = host.expect(BODY, 1)
            while frame.kind == BODY:
                frame = host.receive()
            self.assertEqual(frame.kind, RESET)
            host.call(2, "next")
            host.expect(RESPONSE, 2)
            self.assertEqual(host.expect(BODY, 2).payload, b"[1]")


class Calls(Case):
    def test_one_read_takes_many_and_one_write_answers_them(self):
        host = self.start('apus.http(lambda request, context: request.path)', concurrency=64)
        with host.gathered():
            for number in range(1, 65):
                host.call(number, f"/{number}")
        self.assertEqual([host.answer()[2] for _ in range(64)], [b"/%d" % n for n in range(1, 65)])

    def test_calls_that_come_while_one_waits_are_run_behind_it(self):
        host = self.start("""
@apus.http
def respond(request, context):
    return context.state.get_text("k", "-") if request.path == "get" else request.path
""", concurrency=3)
        with host.gathered():
            host.call(1, "get")
            host.call(2, "two")
            host.call(3, "three")
            host.send(CANCEL, 3)
        request = host.operation()[0]
        host.reply(1, request, b"\1")
        self.assertEqual(host.answer(1)[2], b"-")
        self.assertEqual(host.answer(2)[2], b"two")
        host.expect(FAILURE, 3)

    def test_a_long_call_does_not_keep_the_answers_before_it(self):
        host = self.start("""
@apus.http
def respond(request, context):
    if request.path == "slow":
        time.sleep(0.01)
    if request.path == "wait":
        while not os.path.exists(request.query):
            time.sleep(0.01)
    return request.path
""", concurrency=3)
        with tempfile.TemporaryDirectory() as folder:
            host.call(1, "slow")
            host.answer(1)
            with host.gathered():
                host.call(2, "short")
                host.call(3, "wait", query=f"{folder}/go")
            self.assertEqual(host.answer(2)[2], b"short")
            open(f"{folder}/go", "w").close()
            self.assertEqual(host.answer(3)[2], b"wait")

    def test_calls_of_an_async_def_run_at_once(self):
        host = self.start("""
doors = [asyncio.Event() for _ in range(10)]
@apus.http
async def respond(request, context):
    number = int(request.path)
    if number:
        doors[number - 1].set()
    await doors[number].wait() if number < 9 else None
    async with asyncio.timeout(5) if hasattr(asyncio, "timeout") else asyncio.Lock():
        return str(number)
""", concurrency=10)
        for number in range(10):
            host.call(number + 1, str(number))
        self.assertEqual({host.answer()[2] for _ in range(10)}, {b"%d" % number for number in range(10)})

    def test_cancellation_and_deadline(self):
        host = self.start("""
@apus.http
async def respond(request, context):
    logging.info("begun")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        logging.info("cancelled %s", context.cancelled)
        raise

@apus.timer
def timer(event, context):
    assert 9 < context.remaining <= 10 and not context.cancelled
    logging.info("begun")
    while True:
        context.check()
        time.sleep(0.001)
""", concurrency=2)
        with host.gathered():
            host.call(1)
            host.send(CANCEL, 1)
        host.expect(FAILURE, 1)
        host.call(1)
        host.expect(LOG, 1)
        host.send(CANCEL, 1)
        self.assertIn("cancelled True", Reader(host.expect(LOG, 1).payload[1:]).text())
        host.expect(FAILURE, 1)
        host.event(2)
        host.expect(LOG, 2)
        host.send(CANCEL, 2)
        host.expect(FAILURE, 2)

    def test_a_def_and_an_async_def_share_a_worker(self):
        host = self.start("""
@apus.http
async def respond(request, context):
    return await context.state.get_text("k")
@apus.timer
def timer(event, context):
    assert context.state.get("k") == b"v"
""", concurrency=2)
        host.call(1)
        first = host.operation()[0]
        host.event(2)
        second = host.operation()[0]
        host.reply(1, first, b"\0" + text("v"))
        host.reply(2, second, b"\0" + text("v"))
        self.assertEqual({host.receive().kind, host.receive().kind}, {RESPONSE, ACKNOWLEDGE})

    def test_what_a_handler_left_running_cannot_touch_the_next_call(self):
        host = self.start("""
@apus.http
async def respond(request, context):
    if request.path == "leave":
        asyncio.create_task(late(context))
        return "left"
    await over.wait()
    return outcome[0]

async def late(context):
    global over
    over = asyncio.Event()
    await asyncio.sleep(0)
    try:
        await context.state.get("k")
    except apus.StateError as error:
        outcome.append(str(error))
    over.set()
outcome = []
""")
        host.call(1, "leave")
        self.assertEqual(host.answer(1)[2], b"left")
        host.call(1, "next")
        self.assertEqual(host.answer(1)[2], b"the call is over (invalid)")


class States(Case):
    def test_values_go_as_bytes_text_or_json(self):
        host = self.start("""
@apus.http
def respond(request, context):
    for value in (b"\\0", "é", {"a": 1}, 12, bytearray(b"x")):
        context.state.set("k", value)
    try:
        context.state.set("", "v")
    except apus.StateError as error:
        assert error.code == "invalid"
    return context.state.get_json("k", [])
""")
        host.call(1)
        values = []
        for _ in range(5):
            request, scope, code, read = host.operation()
            self.assertEqual((request, scope, code, read.text()), (0, 0, 1, "k"))
            values.append(read.data())
        self.assertEqual(values, [b"\0", "é".encode(), b'{"a":1}', b"12", b"x"])
        host.reply(1, host.operation()[0], b"\0" + text('{"b": 2}'))
        self.assertEqual(host.answer(1)[2], b'{"b":2}')

    def test_an_async_def_asks_for_many_at_once(self):
        host = self.start("""
@apus.http
async def respond(request, context):
    async def work(state):
        return await state.increment("n", -5)
    one, two, three = await asyncio.gather(
        context.state.get("a"), context.state.list("p", limit=2), context.state.immediately(work))
    return [one is None, [key for key, _ in two], three]
""")
        host.call(1)
        operations = sorted((host.operation() for _ in range(3)), key=lambda operation: operation[2])
        (get, _, _, _), (increment, scope, code, read), (listed, _, _, _) = operations
        self.assertEqual((scope, code, read.text(), read.take("q")), (1, 3, "n", -5))
        host.reply(1, increment, b"\2" + struct.pack("<q", 7))
        commit, scope, code, _ = host.operation()
        self.assertEqual((scope, code), (1, 5))
        host.reply(1, listed, b"\3\0" + struct.pack("<I", 1) + text("p1") + text("v"))
        host.reply(1, get, b"\1")
        host.reply(1, commit, b"\4")
        self.assertEqual(host.answer(1)[2], b'[true,["p1"],7]')

    def test_messages(self):
        host = self.start("""
@apus.http
async def respond(request, context):
    await context.send("orders", {"n": 1}, subject="s")
    await context.send("mail", "text", after=1.5)
    try:
        await context.send("nobody")
    except apus.StateError as error:
        raise apus.HTTPError(400, error.code)
""")
        host.call(1)
        sent = []
        for reply in b"\4", b"\4", b"\6" + text("unknownTarget") + text("nobody"):
            request, scope, code, read = host.operation()
            self.assertEqual((scope, code), (0, 7))
            sent.append((read.text(), read.take("Q"), sorted(read.fields()), read.data()))
            host.reply(1, request, reply)
        self.assertEqual(sent, [
            ("orders", 0, [("datacontenttype", "application/json"), ("subject", "s")], b'{"n":1}'),
            ("mail", 1500, [("datacontenttype", "text/plain; charset=utf-8")], b"text"),
            ("nobody", 0, [], b"")])
        # What it had sent is taken back with the refusal.
        self.assertEqual(host.operation()[2], 6)
        self.assertEqual(host.answer(1)[2], b"unknownTarget")

    def test_what_is_past_its_bound_is_refused_without_the_host(self):
        host = self.start("""
refused = [
    lambda c: c.send("orders", bytes((1 << 20) + 1)),
    lambda c: c.send("orders", "é" * (1 << 20)),
    lambda c: c.send("orders", subject="x" * (16 << 10)),
    lambda c: c.send("o" * 1025),
    lambda c: c.state.list("p" * 1025),
    lambda c: c.state.list(after="p" * 1025),
    lambda c: c.state.set("k", bytes((1 << 20) + 1)),
    # Not to become the same key as others.
    lambda c: c.state.get("a\\ud800"),
    lambda c: c.state.set("a\\ud800", "v"),
    lambda c: c.state.list("a\\ud800"),
    lambda c: c.send("a\\ud800"),
]
@apus.http
def respond(request, context):
    codes = []
    for operation in refused:
        try:
            operation(context)
        except apus.StateError as error:
            codes.append(error.code)
    context.send("orders", bytes(1 << 20), subject="x" * ((16 << 10) - 7 - 39))
    return " ".join(codes)
""")
        host.call(1)
        request, _, code, read = host.operation()
        self.assertEqual((code, read.text()), (7, "orders"))
        host.reply(1, request, b"\4")
        self.assertEqual(host.answer(1)[2].split(), [b"invalid"] * 11)

    def test_messages_of_a_block_of_immediately(self):
        host = self.start("""
@apus.http
def respond(request, context):
    return str(context.state.immediately(lambda state: state.send("orders", b"x", id="1")))
""")
        host.call(1)
        request, scope, code, read = host.operation()
        self.assertEqual((scope, code, read.text(), read.take("Q"), read.fields(), read.data()),
                         (1, 7, "orders", 0, [("id", "1")], b"x"))
        host.reply(1, request, b"\4")
        request, scope, code, _ = host.operation()
        self.assertEqual((scope, code), (1, 5))
        host.reply(1, request, b"\4")
        self.assertEqual(host.answer(1)[2], b"None")

    def test_immediately_gives_up_after_five_conflicts(self):
        host = self.start("apus.http(lambda request, context: context.state.immediately(lambda state: 1))")
        host.call(1)
        for scope in range(1, 6):
            request, *operation = host.operation()
            self.assertEqual(operation[:2], [scope, 5])
            host.reply(1, request, b"\5")
        self.assertIn("Conflict", host.expect(FAILURE, 1).payload.decode())

    def test_much_that_is_written_waits_for_the_host(self):
        for way, wait in (("async def", "await "), ("def", "")):
            with self.subTest(way):
                host = self.start(f"""
@apus.http
{way} respond(request, context):
    for number in range(64):
        {wait}context.state.set(f"k{{number}}", bytes(1 << 20))
    return "done"
""")
                host.call(1)
                self.assertTrue(eventually(lambda: host.state() == "S"))
                self.assertLess(host.resident(), 48 << 20)
                for number in range(64):
                    self.assertEqual(host.operation()[3].text(), f"k{number}")
                self.assertEqual(host.answer(1)[2], b"done")

    def test_many_small_writes_of_a_def_need_no_reply(self):
        host = self.start("""
@apus.http
def respond(request, context):
    for number in range(20_000):
        context.state.set(f"k{number}", bytes(100))
    return "done"
""")
        host.call(1)
        for number in range(20_000):
            self.assertEqual(host.operation()[3].text(), f"k{number}")
        self.assertEqual(host.answer(1)[2], b"done")

    def test_a_wait_ends_when_the_rest_leaves_at_once(self):
        host = self.start("""
@apus.http
async def respond(request, context):
    await asyncio.sleep(0)
    # What is left is sent only after this, when the host has long made room for all of it.
    asyncio.get_running_loop().call_soon(time.sleep, 1)
    await context.state.set("key", bytes(300 << 10))
    return "done"
""")
        host.call(1)
        self.assertEqual(host.operation()[3].text(), "key")
        self.assertEqual(host.answer(1)[2], b"done")


class Logs(Case):
    def test_lines_have_their_call_level_and_fields(self):
        host = self.start("""
logging.getLogger("library").setLevel(1)
@apus.http
def respond(request, context):
    context.log.debug("not seen")
    for level in (5, 10, 20, 25, 30, 40, 50):
        logging.getLogger("library").log(level, "at %d", level, extra={"key": level})
    threading.Thread(target=lambda: logging.warning("from a thread")).start()
    return "done"
@apus.timer
async def timer(event, context):
    logging.info("timer")
""")
        host.call(3)
        frames = [host.receive() for _ in range(9)]
        lines = [(frame.read.take("B"), frame.read.text(), frame.read.fields())
                 for frame in frames if frame.kind == LOG]
        levels = zip(range(7), (5, 10, 20, 25, 30, 40, 50))
        expected = [(level, f"at {number}", [("key", str(number))]) for level, number in levels]
        self.assertEqual([line for line in lines if "thread" not in line[1]], expected)
        self.assertIn((4, "from a thread", []), lines)
        host.event(9)
        self.assertEqual(host.expect(LOG).call, 9)

    def test_what_is_logged_is_cut_by_its_bytes(self):
        host = self.start("""
@apus.http
def respond(request, context):
    logging.info("é" * (5 << 20), extra={"key": "é" * (5 << 20), **{f"key{n}": "v" for n in range(99)}})
    return "done"
""")
        host.call(1)
        line = host.expect(LOG, 1).read
        level, words, metadata = line.take("B"), line.text(), line.fields()
        self.assertEqual((level, words), (2, "é" * (1 << 15) + "… (cut)"))
        self.assertEqual((metadata[0], len(metadata)), (("key", "é" * (1 << 11) + "… (cut)"), 64))
        self.assertEqual(host.answer(1)[2], b"done")

    def test_a_flood_from_a_thread_is_dropped_and_counted_while_nobody_reads(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        flooded = os.path.join(folder.name, "flooded")
        os.mkfifo(flooded)
        host = self.start(f"""
def flood():
    for _ in range(3000):
        logging.info("x" * 1000)
@apus.http
def respond(request, context):
    thread = threading.Thread(target=flood)
    thread.start()
    thread.join()
    open({flooded!r}, "w").close()
    logging.info("behind")
    return "done"
""")
        host.call(1)
        # Opened once the other side opens it.
        open(flooded).close()
        texts = []
        while "behind" not in texts:
            frame = host.expect(LOG)
            frame.read.take("B")
            texts.append(frame.read.text())
        self.assertLess(len(texts), 2900)
        self.assertIn("log lines were dropped", texts[-2])

    def test_print_leaves_line_by_line(self):
        host = self.start("apus.http(lambda request, context: print('printed') or os._exit(3))")
        host.call(1)
        self.assertEqual(host.process.wait(30), 3)
        host.stdout.seek(0)
        self.assertEqual(host.stdout.read(), b"printed\n")


class Lives(Case):
    def test_goodbye_lets_what_runs_finish(self):
        for handler, wait in ("def", ""), ("async def", "await "):
            host = self.start(f"""
@apus.http
{handler} respond(request, context):
    return {wait}context.state.get_text("k")
""")
            host.call(1)
            request = host.operation()[0]
            host.send(GOODBYE, 0)
            host.reply(1, request, b"\0" + text("v"))
            self.assertEqual(host.answer(1)[2], b"v")
            self.assertEqual(host.process.wait(30), 0)
            self.assertEqual(host.errors(), "")

    def test_the_end_of_the_host_is_the_end(self):
        for handler in "time.sleep(0)", "asyncio.run(asyncio.sleep(0))":
            host = self.start(f"apus.http(lambda request, context: {handler})")
            host.socket.close()
            self.assertEqual(host.process.wait(30), 1)

    def test_a_handler_cannot_catch_the_end_of_the_host(self):
        host = self.start("""
@apus.http
def respond(request, context):
    while True:
        try:
            context.state.get("k")
        except Exception:
            pass
""")
        host.call(1)
        host.operation()
        host.socket.close()
        self.assertEqual(host.process.wait(30), 1)

    def test_violations_of_the_host_end_it(self):
        call = struct.pack("<B16sIQ", 0, UUID, 1, 1000000) + text("") * 4 + fields([]) * 2
        for frames in (
            [(0x77, 0, b"")],
            [(WELCOME, 0, struct.pack("<HII", 1, 1, 1) + text("again"))],
            [(CALL, 0, call)],
            [(CALL, 1, call[:40])],
            [(CALL, 1, b"\x09" + call[1:])],
            [(CALL, 1, call), (CALL, 1, call)],
            [(CALL, 1, call), (CALL, 2, call), (CALL, 3, call)],
            [(CALL, 1, call + bytes(1001))],
            [(CALL, 1, call), (BODY, 1, bytes(2000))],
            [(CALL, 1, call), (REPLY, 1, struct.pack("<IB", 1, 9))],
            [(CALL, 1, call), (REPLY, 1, b"\1")],
            [(CALL, 1, call), (CREDIT, 1, bytes(5))],
            [(CALL, 1, call), (RESET, 1, text("gone") + b"x")],
            [(CALL, 1, call), (CANCEL, 1, b"x")],
            [(GOODBYE, 0, b"x")],
        ):
            for handler in "def", "async def":
                wait = "await " if "async" in handler else ""
                script = f"@apus.http\n{handler} respond(r, c):\n    {wait}r.read()\n    return {wait}c.state.get('k')"
                host = self.start(script, concurrency=2, window=1000)
                with host.gathered():
                    for kind, number, payload in frames:
                        host.send(kind, number, payload)
                self.assertEqual((frames, host.process.wait(30)), (frames, 76))
                self.assertIn("apus: the host broke the protocol", host.errors())

    def test_frames_in_pieces(self):
        host = self.start("apus.http(lambda request, context: request.path)")
        with host.gathered() as frames:
            host.call(1, "/pieces")
            host.send(GOODBYE, 0)
            pieces = bytes(frames)
            frames.clear()
        for byte in pieces:
            host.write(bytes([byte]))
        self.assertEqual(host.answer(1)[2], b"/pieces")
        self.assertEqual(host.process.wait(30), 0)

    def test_a_forked_child_leaves_the_socket_alone(self):
        host = self.start("""
@apus.http
def respond(request, context):
    child = os.fork()
    if not child:
        logging.warning("in the child")
        os._exit(0)
    os.waitpid(child, 0)
    return "done"
""")
        host.call(1)
        self.assertEqual(host.receive().kind, RESPONSE)
        self.assertEqual(host.errors(), "in the child\n")

    def test_by_hand_it_says_what_it_is(self):
        command = [sys.executable, "-c", "import apus; apus.http(print); apus.run()"]
        result = subprocess.run(command, env={"PYTHONPATH": str(SDK)}, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 64)
        self.assertIn("This is a function for Apus", result.stderr)

    def test_two_handlers_of_a_kind_are_refused(self):
        host = self.start("apus.http(print)\napus.http(print)", greet=False)
        self.assertEqual(host.process.wait(30), 1)
        self.assertIn("a second handler for @apus.http", host.errors())

    def test_it_is_python_3_9(self):
        ast.parse((SDK / "apus.py").read_text(), feature_version=(3, 9))


if __name__ == "__main__":
    unittest.main()
