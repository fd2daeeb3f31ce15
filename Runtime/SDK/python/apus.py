"""Functions for Apus in Python: what a handler's author imports. One file, the standard library alone, Python 3.9 or later.

    import apus

    @apus.http
    def hello(request, context):
        visits = context.state.increment("visits")
        return f"Hello, {request.parameters.get('name', 'world')}! You are visitor {visits}.\\n"

    apus.run()

Its manifest says `handler: { command: [python3, handler.py], contract: apus }`; the host sees to it that a worker finds
this module. `http`, `timer`, `file`, `message` and `state` each take the function that serves such calls.

A handler is a `def` or an `async def`. Calls of a `def` run one after the other in their worker, without threads:
several workers are what lets them run at once, and `concurrency` what lets a worker that answers quickly take many with
one system call. Calls of an `async def` run at once, as tasks of one asyncio loop, up to `concurrency`. Both find the
same methods on what they get; those that may wait are awaited in an `async def`.

The protocol is docs/worker-protocol.md.
"""
from __future__ import annotations

import functools
import gc
import json as _json
import logging
import os
import select
import socket
import stat
import struct
import sys
import threading
import time
from collections import deque
from contextvars import ContextVar
from datetime import datetime
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Optional, TypeVar, Union

__all__ = [
    "http", "timer", "file", "message", "state", "run", "Request", "AsyncRequest", "Event", "AsyncEvent", "Response",
    "Context", "State", "AsyncState", "Headers", "HTTPError", "Permanent", "Cancelled", "Disconnected", "StateError",
    "Conflict", "LogHandler",
]

# MARK: What a handler raises, and what is raised in it


class HTTPError(Exception):
    """Answers the request with this status and text, and without effects. An event fails; for good where it is 4xx."""

    def __init__(self, status: int, message: str = "", headers: Headerlike = ()) -> None:
        super().__init__(status, message)
        self.status, self.message, self.headers = status, message, headers

    def __str__(self) -> str:
        return f"{self.status} {self.message}".strip()


class Permanent(Exception):
    """Fails the call, and says that another attempt is useless. Any other exception leaves it to be tried again."""


class Cancelled(BaseException):
    """Nobody waits for the call any more. Raised where a `def` waits; an `async def` gets asyncio's CancelledError."""


class Disconnected(ConnectionError):
    """The client went away before it had sent the whole request."""


class StateError(Exception):
    """The host refused an operation on the state. `code` is `invalid`, `notANumber` or `unavailable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class Conflict(Exception):
    """What `immediately` had read was changed by others each time that it was tried."""


# MARK: Frames

_HEADER = struct.Struct("<IBBHI")
_CALL = struct.Struct("<B16sIQ")
_RESPONSE = struct.Struct("<IBBHIH")
_STATE = struct.Struct("<IBBHIIIB")
_REPLY = struct.Struct("<IB")
_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_u32 = _U32.unpack_from

_VERSION = 1
_NAME = b"apus-python/1"
_MOST = 8 << 20
_END = 1
_HELLO, _WELCOME, _CALLED, _CANCEL, _GOODBYE = 1, 2, 3, 4, 5
_BODY, _CREDIT, _RESET = 0x10, 0x11, 0x12
_RESPOND, _ACKNOWLEDGE, _FAILURE, _LOG, _OPERATE, _REPLIED = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
_GET, _SET, _DELETE, _INCREMENT, _LIST, _COMMIT, _ABANDON = range(7)
_KINDS = ("http", "timer", "file", "message", "state")


class _Violation(BaseException):
    """The host sent what the protocol does not know."""


def _mended(data: bytes) -> str:
    """What is not UTF-8 becomes U+FFFD. (`bytes.decode` alone takes half the time.)"""
    return data.decode("utf-8", "replace")


def _text(text: Union[str, bytes]) -> bytes:
    """As `string` or `data`."""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)
    return _U32.pack(len(data)) + data


def _frame(kind: int, call: int, *payload: bytes, end: bool = False) -> bytes:
    return _HEADER.pack(sum(map(len, payload)), kind, end, 0, call) + b"".join(payload)


@functools.lru_cache(maxsize=512)
def _fields(pairs: tuple[tuple[str, str], ...], content_type: str = "") -> bytes:
    """As `fields`, with this Content-Type where none is given. Answers of a function have mostly the same."""
    if content_type and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs = (("Content-Type", content_type),) + pairs
    for name, value in pairs:
        if not (isinstance(name, str) and isinstance(value, str)):
            raise TypeError(f"a header's name and value are str, not {name!r} and {value!r}")
    return _U32.pack(len(pairs)) + b"".join(_text(part) for pair in pairs for part in pair)


def _read_fields(
    buffer: bytes, offset: int, end: int, decode: Callable[[bytes], str] = _mended
) -> tuple[list[tuple[str, str]], int]:
    """The fields at an offset, and where they end."""
    count, = _u32(buffer, offset)
    offset += 4
    fields = []
    while count:
        middle = offset + 4 + _u32(buffer, offset)[0]
        last = middle + 4 + _u32(buffer, middle)[0]
        fields.append((decode(buffer[offset + 4:middle]), decode(buffer[middle + 4:last])))
        offset = last
        count -= 1
        if last > end:
            raise _Violation("fields that end too early")
    return fields, offset


def _operation(call: int, request: int, scope: int, code: int, *payload: bytes) -> bytes:
    return _STATE.pack(9 + sum(map(len, payload)), _OPERATE, 0, 0, call, request, scope, code) + b"".join(payload)


def _reply(payload: bytes) -> Any:
    """What a STATE-REPLY brings, after its request: a value, a number, entries and whether there are more, an error."""
    code = payload[4]
    if code == 0:
        size, = _u32(payload, 5)
        if len(payload) == 9 + size:
            return payload[9:]
    elif code in (1, 4) and len(payload) == 5:
        return None
    elif code == 2 and len(payload) == 13:
        return _I64.unpack_from(payload, 5)[0]
    elif code == 3:
        entries, offset = [], 10
        for _ in range(_u32(payload, 6)[0]):
            middle = offset + 4 + _u32(payload, offset)[0]
            last = middle + 4 + _u32(payload, middle)[0]
            entries.append((str(payload[offset + 4:middle], "utf-8", "replace"), payload[middle + 4:last]))
            offset = last
        if offset == len(payload):
            return entries, payload[5] == 1
    elif code == 5 and len(payload) == 5:
        return Conflict("others changed what was read")
    elif code == 6:
        middle = 9 + _u32(payload, 5)[0]
        end = middle + 4 + _u32(payload, middle)[0]
        if end == len(payload):
            return StateError(str(payload[9:middle], "utf-8", "replace"), str(payload[middle + 4:], "utf-8", "replace"))
    raise _Violation("a STATE-REPLY that is not as described")


# MARK: Requests, events and responses


class Headers(list):
    """Pairs of name and value in their order, to be asked by name without regard to case."""

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The first value."""
        name = name.lower()
        return next((value for key, value in self if key.lower() == name), default)

    def all(self, name: str) -> list[str]:
        name = name.lower()
        return [value for key, value in self if key.lower() == name]

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return list.__getitem__(self, key)
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None if isinstance(name, str) else list.__contains__(self, name)


Headerlike = Union[Mapping[str, str], "list[tuple[str, str]]", "tuple[tuple[str, str], ...]"]


class _RequestHead:
    def __init__(
        self, call: Context, method: str, path: str, query: str, remote_address: str, parameters: dict[str, str]
    ) -> None:
        self._call = call
        self.method = method
        self.path = path
        """Without the query, percent-encoded as it came."""
        self.query = query
        """What follows `?`, percent-encoded as it came."""
        self.remote_address = remote_address
        self.parameters = parameters
        """The values of the route's `{parameters}`, decoded."""

    @functools.cached_property
    def headers(self) -> Headers:
        return Headers(self._call._head_and_body[0])

    @functools.cached_property
    def query_parameters(self) -> dict[str, str]:
        """The query's names and values, decoded; the last one where a name comes twice."""
        from urllib.parse import parse_qsl
        return dict(parse_qsl(self.query, keep_blank_values=True))


class _EventHead:
    def __init__(self, call: Context) -> None:
        self._call = call

    @functools.cached_property
    def attributes(self) -> dict[str, str]:
        """All of its CloudEvents attributes, by name."""
        return dict(self._call._head_and_body[0])

    def __getattr__(self, name: str) -> str:
        """An attribute by its name: `event.type`, `event.path`; "" where this event has none of a known name."""
        if name in self.attributes:
            return self.attributes[name]
        if name in ("id", "source", "type", "subject", "path", "name", "watch", "modified", "oldpath", "oldname"):
            return ""
        raise AttributeError(f"the event has no attribute '{name}'")

    @property
    def time(self) -> datetime:
        return _instant(self.attributes["time"])

    @property
    def due(self) -> datetime:
        """When a timer was due."""
        return _instant(self.attributes.get("due") or self.attributes["time"])

    @property
    def change(self) -> str:
        """What happened to a file: `created`, `modified`, `deleted` or `moved`."""
        return self.type.rpartition(".")[2]

    @property
    def size(self) -> int:
        """Of a file, in bytes."""
        return int(self.attributes.get("size", 0))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class _Body:
    """The body of a request, or the data of an event, for a `def`."""
    _call: Context

    def chunks(self) -> Iterator[bytes]:
        """The body in the pieces in which it comes. What is not read yet is not sent yet."""
        call = self._call
        while True:
            chunk = call._worker._wait(call._read())
            if not chunk:
                return
            yield chunk

    def read(self) -> bytes:
        """All of the body."""
        call = self._call
        return call._whole() if call._ended else call._worker._wait(call._read_all())

    def text(self) -> str:
        return self.read().decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. What is none is answered with 400, unless the handler catches the HTTPError."""
        return _parsed(self.read())


class _AsyncBody:
    """The body of a request, or the data of an event, for an `async def`."""
    _call: Context

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it comes. What is not read yet is not sent yet."""
        while True:
            chunk = await self._call._read()
            if not chunk:
                return
            yield chunk

    async def read(self) -> bytes:
        """All of the body."""
        return await self._call._read_all()

    async def text(self) -> str:
        return (await self.read()).decode("utf-8", "replace")

    async def json(self) -> Any:
        """The body as JSON. What is none is answered with 400, unless the handler catches the HTTPError."""
        return _parsed(await self.read())


def _parsed(data: bytes) -> Any:
    try:
        return _json.loads(data)
    except ValueError as error:
        raise HTTPError(400, f"The body is not JSON: {error}.\n") from None


class Request(_RequestHead, _Body):
    """An HTTP request."""


class AsyncRequest(_RequestHead, _AsyncBody):
    """An HTTP request, for an `async def`."""


class Event(_EventHead, _Body):
    """What a timer, a file, a message or a change of the state brings."""


class AsyncEvent(_EventHead, _AsyncBody):
    """What a timer, a file, a message or a change of the state brings, for an `async def`."""


class Response:
    """An answer with more to it than a body.

    The body, here or returned alone, is a str, bytes, an iterable of either (also an asynchronous one, in an `async
    def`), which is streamed as the client reads it, or anything else, which becomes JSON. None is an empty body, and
    returned alone the status 204.
    """

    def __init__(self, body: Any = b"", status: int = 200, headers: Headerlike = ()) -> None:
        self.body, self.status, self.headers = body, status, headers


def _encoded(body: Any) -> tuple[Any, str]:
    """The body as bytes, or as an iterable of them, and what type it has where nothing else is said."""
    kind = type(body)
    if kind is str:
        return body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    if kind is bytes:
        return body, "application/octet-stream" if body else ""
    if body is None:
        return b"", ""
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body), "application/octet-stream"
    if hasattr(body, "__aiter__") or hasattr(body, "__next__"):
        return body, "application/octet-stream"
    return _json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), "application/json"


def _encoded_value(value: Any) -> bytes:
    """A value of the state: bytes as they are, a str as UTF-8, anything else as JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return (value if isinstance(value, str) else _json.dumps(value, ensure_ascii=False)).encode()


# MARK: Calls


class _Pause:
    """Hands control back to whoever drives the coroutine of a `def`, until another frame has come."""

    def __await__(self) -> Iterator[None]:
        yield


_PAUSE = _Pause()


class Context:
    """What a handler knows of its call, and what it may use."""

    # What most calls leave as it is stands here, and costs them nothing.
    attempt = 1
    """1 for the first."""
    cancelled = False
    """Whether the call has been cancelled, as far as is known. `check()` asks anew."""
    _handles_async = False
    _ended = True
    _reset: Optional[str] = None
    _begun = False
    _wrote = False
    _ungranted = 0
    _room = 0
    _last_request = 0
    _last_scope = 0
    _task: Any = None
    _rest: tuple[bytes, int, int]

    def __init__(self, worker: _Worker, number: int, invocation: bytes, attempt: int, microseconds: int) -> None:
        self._worker, self._number, self._invocation = worker, number, invocation
        self._came, self._microseconds = worker._now, microseconds
        if attempt != 1:
            self.attempt = attempt

    @property
    def invocation(self) -> str:
        """The id of the invocation, a UUID."""
        text = self._invocation.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    @property
    def function(self) -> str:
        """The function's name."""
        return self._worker.function

    @property
    def remaining(self) -> float:
        """The seconds that are left until the time limit of the call."""
        return self.deadline - time.monotonic()

    @property
    def deadline(self) -> float:
        """When the time limit ends, on the clock of `time.monotonic()`."""
        return self._came + self._microseconds / 1e6

    @property
    def log(self) -> logging.Logger:
        """A logger named after the function. Any other will do: their lines all say whose they are."""
        return logging.getLogger(self._worker.function)

    def check(self) -> None:
        """Raises Cancelled when nobody waits for the call any more. For a `def` that computes for long."""
        self._worker._peek()
        if self.cancelled:
            raise Cancelled

    @functools.cached_property
    def state(self) -> Any:
        """The function's state: a `State`, or an `AsyncState` in an `async def`."""
        return (AsyncState if self._handles_async else State)(self, 0)

    # What follows waits as coroutines do. A `def` has them driven by `_Worker._wait`.

    @functools.cached_property
    def _head_and_body(self) -> tuple[list[tuple[str, str]], bytes]:
        """The header of the request, or the attributes of the event, and the first part of the body. Read when asked
        for: many handlers do not ask."""
        buffer, offset, end = self._rest
        try:
            fields, offset = _read_fields(buffer, offset, end)
        except struct.error:
            raise _Violation("a CALL that ends too early") from None
        return fields, buffer[offset:end]

    @functools.cached_property
    def _parts(self) -> deque[bytes]:
        """What has come of the body and has not been read."""
        part = self._head_and_body[1]
        return deque((part,) if part else ())

    @functools.cached_property
    def _credit(self) -> int:
        return self._worker.window

    @functools.cached_property
    def _replies(self) -> dict[int, Any]:
        return {}

    @functools.cached_property
    def _waiters(self) -> list[Any]:
        return []

    async def _change(self) -> None:
        """Waits for the next frame that concerns this call."""
        if not self._handles_async:
            await _PAUSE
            if self.cancelled:
                raise Cancelled
            return
        waiter = self._worker._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        if "_waiters" in self.__dict__:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    async def _read(self) -> bytes:
        """The next part of the body; b"" is its end."""
        while not self._parts:
            if self._reset is not None:
                raise Disconnected(self._reset)
            if self._ended:
                return b""
            await self._change()
        part = self._parts.popleft()
        self._ungranted += len(part)
        if not self._ended and self._ungranted >= self._worker.window // 2:
            self._worker._send(_frame(_CREDIT, self._number, _U32.pack(self._ungranted)))
            self._room += self._ungranted
            self._ungranted = 0
        return part

    async def _read_all(self) -> bytes:
        parts = []
        while True:
            part = await self._read()
            if not part:
                break
            parts.append(part)
        self._parts.append(b"".join(parts))
        return self._whole()

    def _whole(self) -> bytes:
        """A body that is all there. It stays, to be read again."""
        parts = self._parts
        if self._reset is not None:
            raise Disconnected(self._reset)
        if len(parts) > 1:
            whole = b"".join(parts)
            parts.clear()
            parts.append(whole)
        return parts[0] if parts else b""

    async def _write(self, data: bytes) -> None:
        """Sends body as far as the window allows, and waits for more of it."""
        view = memoryview(data)
        while view:
            while self._credit <= 0:
                await self._change()
            part = view[:self._credit]
            self._credit -= len(part)
            view = view[len(part):]
            self._worker._send(_HEADER.pack(len(part), _BODY, 0, 0, self._number) + part)

    async def _operate(self, scope: int, code: int, *payload: bytes) -> Any:
        """Sends an operation, and gives what the host replies."""
        self._last_request = request = self._last_request % 0xFFFFFFFF + 1
        self._worker._send(_operation(self._number, request, scope, code, *payload))
        while request not in self._replies:
            await self._change()
        result = self._replies.pop(request)
        if isinstance(result, Exception):
            raise result
        return result

    async def _post(self, scope: int, code: int, *payload: bytes) -> None:
        """Sends an operation that has no reply. Where it fails, the host fails the call."""
        self._worker._send(_operation(self._number, 0, scope, code, *payload))
        self._wrote = True
        await self._worker._drained(self)


class AsyncState:
    """State for an `async def`: the same as `State`, to be awaited."""

    def __init__(self, call: Context, scope: int) -> None:
        self._call, self._scope = call, scope

    async def get(self, key: str) -> Optional[bytes]:
        return await self._call._operate(self._scope, _GET, _text(key))

    async def get_text(self, key: str, default: Optional[str] = None) -> Optional[str]:
        value = await self.get(key)
        return default if value is None else value.decode("utf-8", "replace")

    async def get_json(self, key: str, default: Any = None) -> Any:
        value = await self.get(key)
        return default if value is None else _json.loads(value)

    async def set(self, key: str, value: Any) -> None:
        await self._call._post(self._scope, _SET, _text(key), _text(_encoded_value(value)))

    async def delete(self, key: str) -> None:
        await self._call._post(self._scope, _DELETE, _text(key))

    async def increment(self, key: str, by: int = 1) -> int:
        self._call._wrote = True
        return await self._call._operate(self._scope, _INCREMENT, _text(key), _I64.pack(by))

    async def list(self, prefix: str = "", after: Optional[str] = None, limit: int = 1000) -> list[tuple[str, bytes]]:
        entries: list[tuple[str, bytes]] = []
        while len(entries) < limit:
            start = bytes([after is not None]) + _text(after or "")
            left = _U32.pack(min(limit - len(entries), 10_000))
            page, more = await self._call._operate(self._scope, _LIST, _text(prefix), start, left)
            entries += page
            if not more or not page:
                break
            after = page[-1][0]
        return entries

    async def immediately(self, body: Callable[[AsyncState], Awaitable[Any]]) -> Any:
        for _ in range(5):
            self._call._last_scope += 1
            state = AsyncState(self._call, self._call._last_scope)
            try:
                result = await body(state)
            except BaseException:
                state._abandon()
                raise
            try:
                await self._call._operate(state._scope, _COMMIT)
            except Conflict:
                continue
            return result
        raise Conflict("others changed what was read, five times in a row")

    def _abandon(self) -> None:
        self._call._worker._send(_operation(self._call._number, 0, self._scope, _ABANDON))


class State:
    """A function's state: keys of text, values of bytes. What is written here takes effect when the call succeeds, all
    of it or nothing; what is read sees it at once."""

    def __init__(self, call: Context, scope: int) -> None:
        self._call, self._state = call, AsyncState(call, scope)
        self._wait: Callable[[Coroutine[Any, Any, Any]], Any] = call._worker._wait

    def get(self, key: str) -> Optional[bytes]:
        return self._wait(self._state.get(key))

    def get_text(self, key: str, default: Optional[str] = None) -> Optional[str]:
        return self._wait(self._state.get_text(key, default))

    def get_json(self, key: str, default: Any = None) -> Any:
        return self._wait(self._state.get_json(key, default))

    def set(self, key: str, value: Any) -> None:
        """Bytes are kept as they are, a str as UTF-8, anything else as JSON."""
        self._wait(self._state.set(key, value))

    def delete(self, key: str) -> None:
        self._wait(self._state.delete(key))

    def increment(self, key: str, by: int = 1) -> int:
        """Adds to a number, and gives the sum. Never in conflict with another increment."""
        return self._wait(self._state.increment(key, by))

    def list(self, prefix: str = "", after: Optional[str] = None, limit: int = 1000) -> list[tuple[str, bytes]]:
        """The keys that begin with `prefix` and come after `after`, and their values, in the order of the keys."""
        return self._wait(self._state.list(prefix, after, limit))

    def immediately(self, body: Callable[[State], Any]) -> Any:
        """Runs `body` with a state whose effects are committed on its return, whatever becomes of the call, and gives
        its result. Runs it again, five times at most, when others have changed what it read."""

        async def run(inner: AsyncState) -> Any:
            return body(State(self._call, inner._scope))

        return self._wait(self._state.immediately(run))


# MARK: The worker

_current: ContextVar[Optional[Context]] = ContextVar("apus call", default=None)


class _Worker:
    """One connection to the host: reads frames, runs the handlers, sends what they answer.

    One read takes all that has come, and one write sends all that is ready.
    """

    function = "apus"
    window = 0
    _loop: Any = None
    # Bytes of log lines that may wait for the host; more are dropped, and counted.
    _most_waiting = 256 << 10
    # A call that takes longer than this (seconds) holds up nobody's answer: answers then leave one by one.
    _patience = 0.0002

    def __init__(self, connection: socket.socket, handlers: dict[int, Callable[..., Any]]) -> None:
        self._socket, self._handlers = connection, handlers
        connection.setblocking(True)
        connection.set_inheritable(False)
        self._runs_async = {kind: _is_async(handler) for kind, handler in handlers.items()}
        self._buffer, self._offset, self._missing = b"", 0, 0
        self._out: list[Any] = []
        self._sending = threading.Lock()
        self._thread = threading.get_ident()
        self._waiting_lines = self._dropped_lines = 0
        self._has_flush = self._has_writer = False
        self._calls: dict[int, Context] = {}
        self._ready: deque[tuple[Context, Any, int]] = deque()
        self._running: Optional[Context] = None
        self._is_leaving = False
        self._now = 0.0

    def run(self) -> None:
        """Serves until the host says goodbye. Ends the process when the host is gone or not to be understood."""
        self._out.append(_frame(_HELLO, 0, struct.pack("<HH", _VERSION, sum(1 << k for k in self._handlers)), _text(_NAME)))
        try:
            while not self.window:
                self._turn()
            if any(self._runs_async.values()):
                import asyncio
                asyncio.run(self._serve_async())
            else:
                self._serve()
        except (_Violation, ConnectionError, EOFError) as error:
            _end(error)

    # Reading

    def _receive(self, flags: int = 0) -> None:
        """Reads what is there; without a flag, waits for it."""
        data = self._socket.recv(max(65536, min(self._missing, 1 << 20)), flags)
        if not data:
            raise EOFError
        self._now = time.monotonic()
        if self._offset == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._offset:] + data
        self._offset = self._missing = 0

    def _next(self) -> Optional[tuple[Context, Any, int]]:
        """The next call in the buffer, after whatever stands before it. None when there is no more whole frame."""
        while True:
            buffer, offset = self._buffer, self._offset
            begin = offset + 12
            if len(buffer) < begin:
                return None
            length, kind, flags, _, number = _HEADER.unpack_from(buffer, offset)
            end = begin + length
            if end > len(buffer):
                if length > _MOST:
                    raise _Violation(f"a frame of {length} bytes")
                self._missing = end - len(buffer)
                return None
            self._offset = end
            try:
                if kind == _CALLED:
                    return self._read_call(buffer, begin, end, flags, number)
                self._take(kind, flags, number, buffer[begin:end])
            except (struct.error, IndexError):
                raise _Violation(f"a frame of type {kind:#x} that ends too early") from None

    def _read_call(self, buffer: bytes, offset: int, end: int, flags: int, number: int) -> tuple[Context, Any, int]:
        kind, invocation, attempt, microseconds = _CALL.unpack_from(buffer, offset)
        if number in self._calls or not number or kind > 4 or not self.window:
            raise _Violation(f"a CALL of kind {kind} with the number {number}")
        call = self._calls[number] = Context(self, number, invocation, attempt, microseconds)
        is_async = self._runs_async.get(kind, False)
        if is_async:
            call._handles_async = True
        offset += 29
        payload: Any
        if kind:
            call._rest = (buffer, offset, end)
            payload = (AsyncEvent if is_async else Event)(call)
        else:
            method = offset + 4 + _u32(buffer, offset)[0]
            path = method + 4 + _u32(buffer, method)[0]
            query = path + 4 + _u32(buffer, path)[0]
            remote = query + 4 + _u32(buffer, query)[0]
            decode = bytes.decode
            try:
                strings = (decode(buffer[offset + 4:method]), decode(buffer[method + 4:path]),
                           decode(buffer[path + 4:query]), decode(buffer[query + 4:remote]))
                parameters, offset = _read_fields(buffer, remote, end, decode)
            except UnicodeDecodeError:
                strings = (_mended(buffer[offset + 4:method]), _mended(buffer[method + 4:path]),
                           _mended(buffer[path + 4:query]), _mended(buffer[query + 4:remote]))
                parameters, offset = _read_fields(buffer, remote, end)
            call._rest = (buffer, offset, end)
            payload = (AsyncRequest if is_async else Request)(call, *strings, dict(parameters))
        if offset > end:
            raise _Violation("a CALL that ends too early")
        if not flags & _END:
            call._ended = False
            call._room = self.window - len(call._head_and_body[1])
        return call, payload, kind

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """Acts on any other frame."""
        if kind == _WELCOME:
            version, _, window = struct.unpack_from("<HII", payload)
            if self.window or version != _VERSION or not window or len(payload) != 14 + _u32(payload, 10)[0]:
                raise _Violation("a WELCOME that is not as described")
            self.window, self.function = window, str(payload[14:], "utf-8", "replace")
            return
        if kind == _GOODBYE:
            self._is_leaving = True
            return
        if kind not in (_CANCEL, _BODY, _CREDIT, _RESET, _REPLIED):
            raise _Violation(f"a frame of type {kind:#x}")
        call = self._calls.get(number)
        if call is None:
            return
        if kind == _BODY:
            call._room -= len(payload)
            if call._ended or call._room < 0:
                raise _Violation("a BODY past its end or window")
            if payload:
                call._parts.append(payload)
            call._ended = bool(flags & _END)
        elif kind == _CREDIT:
            call._credit += _u32(payload)[0]
        elif kind == _RESET:
            call._reset, call._ended = str(payload[4:], "utf-8", "replace"), True
        elif kind == _REPLIED:
            call._replies[_u32(payload)[0]] = _reply(payload)
        else:
            call.cancelled = True
            if call._task is not None:
                call._task.cancel()
        call._wake()

    # Writing

    def _send(self, frame: Any) -> None:
        self._out.append(frame)
        if self._loop is not None and not self._has_flush:
            self._has_flush = True
            self._loop.call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        self._has_flush = False
        if not self._flush() and not self._has_writer:
            self._has_writer = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._flush():
            self._has_writer = False
            self._loop.remove_writer(self._socket.fileno())
            for call in list(self._calls.values()):
                call._wake()

    def _flush(self) -> bool:
        """Sends what is ready, as far as the socket takes it now. Whether that was all. Any thread may add to what is
        ready meanwhile, and one at a time sends."""
        out = self._out
        if not self._sending.acquire(False):
            return False
        try:
            while out:
                count = len(out)
                data = out[0] if count == 1 else b"".join(out[:count])
                try:
                    sent = self._socket.send(data, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    sent = 0
                if sent < len(data):
                    out[:count] = [memoryview(data)[sent:]]
                    return False
                del out[:count]
            self._waiting_lines = 0
            return True
        finally:
            self._sending.release()

    def _flush_all(self) -> None:
        """Sends all that is ready, and reads meanwhile."""
        while not self._flush():
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLOUT)
            if any(events & ~select.POLLOUT for _, events in poll.poll()):
                self._receive(socket.MSG_DONTWAIT)
                self._queue()

    async def _drained(self, call: Context) -> None:
        """Waits while a lot has not been taken by the host."""
        if len(self._out) < 64 and sum(map(len, self._out)) < self._most_waiting:
            return
        if not call._handles_async:
            self._flush_all()
        while not self._flush():
            await call._change()

    # Running `def` handlers

    def _serve(self) -> None:
        ready, clock, hurry, then = self._ready, time.monotonic, 0, 0.0
        while True:
            job = ready.popleft() if ready else self._next()
            if job is None:
                self._flush_all()
                if not ready:
                    if self._is_leaving:
                        return
                    self._receive()
                    then = self._now
                continue
            self._run(job)
            now = clock()
            if now - then > self._patience:
                hurry = 64
            if hurry:
                hurry -= 1
                self._flush_all()
            then = now

    def _run(self, job: tuple[Context, Any, int]) -> None:
        call, payload, kind = job
        self._running = call
        try:
            if call.cancelled:
                raise Cancelled
            rest = self._answer(call, kind, self._handlers[kind](payload, call))
            if rest is not None:
                self._wait(self._stream(call, rest))
        except (Exception, Cancelled) as error:
            self._fail(call, kind, error)
        self._running = None
        if self._loop is not None:
            self._leave()

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Drives what waits for the host on behalf of a `def`, which waits here."""
        try:
            while True:
                coroutine.send(None)
                self._turn()
        except StopIteration as end:
            return end.value

    def _turn(self) -> None:
        """Sends what is ready, and takes what comes."""
        self._flush_all()
        self._receive()
        self._queue()

    def _peek(self) -> None:
        """Takes what has come, without waiting."""
        self._flush()
        try:
            self._receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        self._queue()

    def _queue(self) -> None:
        """Leaves the calls that have come for later."""
        while True:
            job = self._next()
            if job is None:
                return
            if self._loop is None:
                self._ready.append(job)
            else:
                self._start(job)

    # Running `async def` handlers

    async def _serve_async(self) -> None:
        import asyncio
        self._loop = asyncio.get_running_loop()
        self._ending: Any = self._loop.create_future()
        self._task_options = {"eager_start": True} if sys.version_info >= (3, 12) else {}
        self._new_task = asyncio.Task
        self._cancellation = asyncio.CancelledError
        ready, self._ready = self._ready, deque()
        for job in ready:
            self._start(job)
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._leave()
        try:
            await self._ending
        finally:
            self._loop.remove_reader(self._socket.fileno())
            self._loop = None
        self._flush_all()

    def _readable(self) -> None:
        try:
            self._receive(socket.MSG_DONTWAIT)
            self._queue()
            self._leave()
        except BlockingIOError:
            pass
        except (_Violation, ConnectionError, EOFError) as error:
            _end(error)

    def _leave(self) -> None:
        if self._is_leaving and not self._calls and not self._ending.done():
            self._ending.set_result(None)

    def _start(self, job: tuple[Context, Any, int]) -> None:
        if job[0]._handles_async:
            job[0]._task = self._new_task(self._perform(*job), loop=self._loop, **self._task_options)
        else:
            self._loop.call_soon(self._run, job)

    async def _perform(self, call: Context, payload: Any, kind: int) -> None:
        _current.set(call)
        try:
            result = self._handlers[kind](payload, call)
            if hasattr(result, "__await__"):
                result = await result
            rest = self._answer(call, kind, result)
            if rest is not None:
                await self._stream(call, rest)
        except (Exception, self._cancellation) as error:
            self._fail(call, kind, error)
        except _Violation as error:
            _end(error)
        finally:
            call._task = None
            self._leave()

    # Answering

    def _answer(self, call: Context, kind: int, result: Any) -> Any:
        """Answers, and gives the iterable that is left to be streamed, if any."""
        number = call._number
        if kind:
            self._send(_HEADER.pack(0, _ACKNOWLEDGE, 0, 0, number))
            del self._calls[number]
            return None
        if type(result) is Response:
            status, headers, body = result.status, result.headers, result.body
            pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        else:
            status, pairs, body = (204 if result is None else 200), (), result
        body, content_type = _encoded(body)
        call._fields = fields = _fields(pairs, content_type)
        call._status = status
        if type(body) is not bytes:
            return body
        if len(body) > self.window:
            return iter((body,))
        size = 2 + len(fields) + len(body)
        self._send(_RESPONSE.pack(size, _RESPOND, _END, 0, number, status) + fields + body)
        del self._calls[number]
        return None

    async def _stream(self, call: Context, chunks: Any) -> None:
        """Sends a response in pieces. Its head goes with the first, so that what fails before that can still fail."""
        try:
            async for chunk in _each(chunks):
                data, _ = _encoded(chunk)
                if type(data) is not bytes:
                    raise TypeError(f"a part of a body is a str or bytes, not {type(chunk).__name__}")
                if not call._begun:
                    self._begin(call)
                await call._write(data)
                if not call._handles_async:
                    call.check()
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
            elif hasattr(chunks, "close"):
                chunks.close()
        if not call._begun:
            self._begin(call)
        self._send(_HEADER.pack(0, _BODY, _END, 0, call._number))
        del self._calls[call._number]

    def _begin(self, call: Context) -> None:
        call._begun = True
        size = 2 + len(call._fields)
        self._send(_RESPONSE.pack(size, _RESPOND, 0, 0, call._number, call._status) + call._fields)

    def _fail(self, call: Context, kind: int, error: BaseException) -> None:
        """Ends a call whose handler raised."""
        number = call._number
        if number not in self._calls:
            return
        if isinstance(error, MemoryError):
            _end(error)
        if isinstance(error, HTTPError) and kind == 0 and not call._begun:
            if call._wrote:
                self._send(_operation(number, 0, 0, _ABANDON))
            self._answer(call, kind, Response(error.message, error.status, error.headers))
            return
        is_meant = isinstance(error, (HTTPError, Permanent))
        if not is_meant and not call.cancelled:
            import traceback
            self._log(number, 5, "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip())
        reason = _text(str(error) if is_meant else f"{type(error).__name__}: {error}")
        del self._calls[number]
        if call._begun:
            self._send(_frame(_RESET, number, reason))
        else:
            is_permanent = isinstance(error, Permanent) or (is_meant and 400 <= error.status < 500)
            self._send(_frame(_FAILURE, number, bytes([is_permanent]), reason))

    # Logging

    def _log(self, number: int, level: int, text: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        """Sends a line, from whatever thread."""
        if self._waiting_lines > self._most_waiting:
            self._dropped_lines += 1
            return
        if self._dropped_lines:
            dropped, self._dropped_lines = self._dropped_lines, 0
            self._log(0, 4, f"{dropped} log lines were dropped")
        frame = _frame(_LOG, number, bytes([level]), _text(text[:65536]), _fields(metadata))
        self._waiting_lines += len(frame)
        self._out.append(frame)
        is_own = threading.get_ident() == self._thread
        if is_own and self._loop is None and not self._sending.locked():
            self._flush_all()
        elif not self._flush() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._flush_soon)


async def _each(chunks: Any) -> AsyncIterator[Any]:
    if hasattr(chunks, "__aiter__"):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk


def _is_async(handler: Callable[..., Any]) -> bool:
    """Whether it is an `async def`, also an asynchronous generator or one with `__call__` (Include/cpython/code.h)."""
    code = getattr(handler, "__code__", None) or getattr(getattr(handler, "__call__", None), "__code__", None)
    return bool(code and code.co_flags & (0x80 | 0x200))


def _end(error: BaseException) -> None:
    """Ends the process at once, when the host is gone, not to be understood, or when there is no memory left."""
    status, reason = 1, "the host is gone"
    if isinstance(error, _Violation):
        status, reason = 76, f"the host broke the protocol: {error}"
    elif isinstance(error, MemoryError):
        reason = "out of memory"
    try:
        os.write(2, f"apus: {reason}\n".encode())
    finally:
        os._exit(status)


# MARK: What a handler's author calls

_handlers: dict[int, Callable[..., Any]] = {}
_worker: Optional[_Worker] = None
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


def _register(kind: int, handler: _Handler) -> _Handler:
    if kind in _handlers:
        raise RuntimeError(f"two handlers for {_KINDS[kind]}: {_handlers[kind].__name__} and {handler.__name__}")
    _handlers[kind] = handler
    return handler


def http(handler: _Handler) -> _Handler:
    """Serves HTTP requests: `handler(request, context)` gives a Response, or what a Response takes as its body."""
    return _register(0, handler)


def timer(handler: _Handler) -> _Handler:
    """Serves timers: `handler(event, context)`; `event.due` says when it was due."""
    return _register(1, handler)


def file(handler: _Handler) -> _Handler:
    """Serves changes of files: `handler(event, context)`; `event.change` and `event.path` say what happened."""
    return _register(2, handler)


def message(handler: _Handler) -> _Handler:
    """Serves messages: `handler(event, context)`; `event.json()` is what was sent."""
    return _register(3, handler)


def state(handler: _Handler) -> _Handler:
    """Serves changes of the state: `handler(event, context)`."""
    return _register(4, handler)


def run() -> None:
    """Serves the calls of the handlers above it until the host says goodbye, and then returns."""
    global _worker
    if not _handlers:
        raise RuntimeError("no handler: write @apus.http, or another, above a function")
    try:
        is_started_by_host = stat.S_ISSOCK(os.fstat(3).st_mode)
    except OSError:
        is_started_by_host = False
    if not is_started_by_host:
        print("This is a function for Apus: name it in a manifest, and run `apus serve`.", file=sys.stderr)
        sys.exit(64)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    _worker = worker = _Worker(socket.socket(fileno=3), _handlers)
    os.register_at_fork(after_in_child=_forget)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(LogHandler())
        if root.level == logging.WARNING:
            root.setLevel(logging.INFO)
    gc.collect()
    gc.freeze()
    worker.run()


def _forget() -> None:
    """In a child process: the socket belongs to its parent."""
    global _worker
    if _worker is not None:
        _worker._socket.close()
        _worker = None


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogHandler(logging.Handler):
    """Sends what is logged to the host, as lines of the call in which it is logged, with `extra` as their metadata.

    `run` gives it to the root logger, from level INFO, unless the root logger has a handler already.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            worker = _worker
            if worker is None:
                print(text, file=sys.stderr)
                return
            call = _current.get() or worker._running
            number = call._number if call is not None and worker._calls.get(call._number) is call else 0
            metadata = tuple((name, str(value)) for name, value in vars(record).items() if name not in _STANDARD)
            level = min(record.levelno // 10, 3) if record.levelno <= 20 else min(record.levelno // 10 + 1, 6)
            worker._log(number, 3 if 20 < record.levelno < 30 else level, text, metadata)
        except Exception:
            self.handleError(record)
