"""Functions for Apus in Python: what a handler's author imports. One file, no dependencies, Python 3.9 or later.

    import apus

    @apus.http
    def hello(request, context):
        visits = context.state.increment("visits")
        return f"Hello, {request.parameters.get('name', 'world')}! You are visitor {visits}.\\n"

    apus.run()

Its manifest says `handler: { command: [python3, hello.py], contract: apus }`; the host sees to it that the worker finds
this module. `http`, `timer`, `file`, `message` and `state` each take the function that serves such calls.

A handler is a `def` or an `async def`. The calls of a `def` run one after the other in their worker, without threads:
more workers (`workers.max`) let more of them run at once, and `workers.concurrency` lets one whose calls are short take
many with one system call. The calls of an `async def` run at once, as tasks of one asyncio loop, up to `concurrency`.

Both find the same methods. Those marked "waits" wait for the host: an `async def` must await them.

The protocol is docs/worker-protocol.md.
"""
from __future__ import annotations

# A worker's start is worth more than a lookup: modules that not every handler needs are imported where they are used.
# `_socket` and `_thread` are what `socket` and `threading` are made of; so are others with such a name.
import _socket
import _thread
import gc
import os
import select
import stat
import struct
import sys
import time
from _collections import deque
from _functools import partial
from contextvars import ContextVar
from types import AsyncGeneratorType, GeneratorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    import logging
    from typing import (
        Any, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, NoReturn, Optional, Tuple, TypeVar, Union,
    )

    Pairs = Tuple[Tuple[str, str], ...]
    HeaderFields = Union[Mapping[str, str], Iterable[Tuple[str, str]]]
    _Handler = TypeVar("_Handler", bound=Callable[..., Any])
    from functools import cached_property
else:
    class cached_property:
        """As that of functools, without its lock."""

        def __init__(self, function: Callable[[Any], Any]) -> None:
            self._function, self.__doc__ = function, function.__doc__

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            value = instance.__dict__[self._function.__name__] = self._function(instance)
            return value

__all__ = [
    "http", "timer", "file", "message", "state", "run", "Request", "Event", "Response", "Context", "State", "Headers",
    "HTTPError", "Permanent", "Cancelled", "Disconnected", "StateError", "Conflict", "LogHandler",
]

# MARK: What a handler raises, and what is raised in it


class HTTPError(Exception):
    """Answers the request with this status and text, and without effects. An event fails, for good where it is 4xx."""

    def __init__(self, status: int, message: str = "", headers: HeaderFields = ()) -> None:
        super().__init__(f"{status} {message}".strip())
        self.status, self.message, self.headers = status, message, headers


class Permanent(Exception):
    """Fails the call, and says that another attempt is useless. After other exceptions the host tries events again."""


class Cancelled(BaseException):
    """Nobody waits for the call any more. Raised where a `def` waits; an `async def` gets asyncio's CancelledError."""


class Disconnected(ConnectionError):
    """The client went away before it had sent the whole request."""


class StateError(Exception):
    """An operation on the state, or a message, was refused. `code` is `invalid`, `notANumber`, `unknownTarget`,
    `chainTooLong`, `queueFull` or `unavailable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class Conflict(Exception):
    """Others changed what `immediately` had read, each time that it was tried."""


# MARK: Frames

_HEADER = struct.Struct("<IBBHI")
_CALL_HEAD = struct.Struct("<B16sIQ")
_RESPONSE_HEAD = struct.Struct("<IBBHIH")
_STATE_HEAD = struct.Struct("<IBBHIIIB")
_WELCOME_HEAD = struct.Struct("<HIII")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_I64 = struct.Struct("<q")
_u32 = _U32.unpack_from

_VERSION = 1
_NAME = "apus-python/1"
_MOST = 8 << 20
_END = 1
_HELLO, _WELCOME, _CALL, _CANCEL, _GOODBYE = 1, 2, 3, 4, 5
_BODY, _CREDIT, _RESET = 0x10, 0x11, 0x12
_RESPONSE, _ACKNOWLEDGE, _FAILURE, _LOG, _STATE, _STATE_REPLY = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
_GET, _SET, _DELETE, _INCREMENT, _LIST, _COMMIT, _ABANDON, _SEND = range(8)
_KINDS = ("http", "timer", "file", "message", "state")

# What the host takes of each, in bytes. Past them it refuses the operation, and past 8 MiB the whole worker.
_MOST_KEY, _MOST_VALUE, _MOST_ATTRIBUTES = 1024, 1 << 20, 16 << 10
_MOST_LINE, _MOST_FIELD, _MOST_FIELDS = 64 << 10, 4 << 10, 64


class _Violation(BaseException):
    """The host sent what the protocol does not know."""


def _text(data: bytes) -> str:
    """What is not UTF-8 becomes U+FFFD."""
    try:
        # Takes half the time.
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def _data(data: Union[str, bytes]) -> bytes:
    """As `string` or `data`."""
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    return _U32.pack(len(data)) + data


def _cut(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, with a mark where something is missing."""
    data = text[:most + 1].encode("utf-8", "replace")
    return text if len(data) <= most else data[:most].decode("utf-8", "ignore") + "… (cut)"


def _frame(kind: int, call: int, *payload: bytes) -> bytes:
    return _HEADER.pack(sum(map(len, payload)), kind, 0, 0, call) + b"".join(payload)


def _operation(call: int, request: int, scope: int, code: int, *payload: bytes) -> bytes:
    return _STATE_HEAD.pack(9 + sum(map(len, payload)), _STATE, 0, 0, call, request, scope, code) + b"".join(payload)


def _fields(pairs: Pairs, content_type: str = "") -> bytes:
    """As `fields`, with this Content-Type where none is given."""
    # The answers of a function mostly have the same.
    known = _known_fields.get((pairs, content_type))
    if known is None:
        if len(_known_fields) >= _MOST_KNOWN:
            _known_fields.clear()
        known = _known_fields[pairs, content_type] = _encoded_fields(pairs, content_type)
    return known


_MOST_KNOWN = 512
_known_fields: dict[tuple[Pairs, str], bytes] = {}


def _encoded_fields(pairs: Pairs, content_type: str) -> bytes:
    if content_type and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs = (("Content-Type", content_type),) + pairs
    for name, value in pairs:
        if not (isinstance(name, str) and isinstance(value, str)):
            raise TypeError(f"the name and the value of a field are str, not {name!r} and {value!r}")
    return _U32.pack(len(pairs)) + b"".join(_data(part) for pair in pairs for part in pair)


def _read_fields(buffer: bytes, offset: int, end: int) -> tuple[list[tuple[str, str]], int]:
    """The fields at an offset, and where they end."""
    count, = _u32(buffer, offset)
    offset += 4
    fields = []
    while count:
        middle = offset + 4 + _u32(buffer, offset)[0]
        last = middle + 4 + _u32(buffer, middle)[0]
        name, value = buffer[offset + 4:middle], buffer[middle + 4:last]
        try:
            fields.append((name.decode(), value.decode()))
        except UnicodeDecodeError:
            fields.append((_text(name), _text(value)))
        offset = last
        count -= 1
        if last > end:
            raise _Violation("fields that end too early")
    return fields, offset


def _read_reply(payload: bytes) -> Any:
    """What a STATE-REPLY says after its request: a value, a number, entries and whether there are more, or an error."""
    code, offset, parts = payload[4], 5, []
    if code == 1 or code == 4:
        result = None
    elif code == 2:
        result, offset = _I64.unpack_from(payload, 5)[0], 13
    elif code == 5:
        result = Conflict("others changed what was read")
    elif code in (0, 3, 6):
        if code == 3:
            offset = 10
        for _ in range(1 if code == 0 else 2 if code == 6 else 2 * _u32(payload, 6)[0]):
            begin = offset + 4
            offset = begin + _u32(payload, offset)[0]
            parts.append(payload[begin:offset])
        if code == 3:
            result = list(zip(map(_text, parts[::2]), parts[1::2])), payload[5] == 1
        else:
            result = parts[0] if code == 0 else StateError(_text(parts[0]), _text(parts[1]))
    else:
        raise _Violation(f"a STATE-REPLY with the code {code}")
    if offset != len(payload):
        raise _Violation("a STATE-REPLY that is not as described")
    return result


# MARK: What a handler gets and gives


class Headers(list):
    """Pairs of name and value in their order, to be asked by name without regard to case."""

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The first value of that name."""
        return next(iter(self.all(name)), default)

    def all(self, name: str) -> list[str]:
        name = name.lower()
        return [value for key, value in self if key.lower() == name]

    def __contains__(self, name: object) -> bool:
        return bool(self.all(name)) if isinstance(name, str) else list.__contains__(self, name)


class _Body:
    """The body of a request, or the data of an event."""
    _call: Context

    def chunks(self) -> Any:
        """The body in the pieces in which it comes, for `for` or `async for`. The host keeps back what is not read."""
        return _Chunks(self._call)

    def read(self) -> Any:
        """All of the body, as bytes. Waits."""
        call = self._call
        return call._all() if call._ended and not call._handles_async else call._settle(call._read_all())

    def text(self) -> Any:
        """All of the body, as a str. Waits."""
        return self._call._settle(self._call._read_all(_text))

    def json(self) -> Any:
        """All of the body, from JSON. What is no JSON is answered with 400, unless the HTTPError is caught. Waits."""
        return self._call._settle(self._call._read_all(_parsed))


class _Chunks:
    def __init__(self, call: Context) -> None:
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = self._call._worker._wait(self._call._read())
        if not chunk:
            raise StopIteration
        return chunk

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._call._read()
        if not chunk:
            raise StopAsyncIteration
        return chunk


def _parsed(data: bytes) -> Any:
    import json
    try:
        return json.loads(data)
    except ValueError as error:
        raise HTTPError(400, f"The body is not JSON: {error}.\n") from None


class Request(_Body):
    """An HTTP request."""

    def __init__(self, call: Context, ends: tuple[int, ...], parameters: dict[str, str]) -> None:
        # Where the method, the path, the query and the address begin, and where the last of them ends.
        self._call, self._ends = call, ends
        self.parameters = parameters
        """The values of the route's `{parameters}`, decoded."""

    # Read when asked for, since many handlers never ask.

    @cached_property
    def method(self) -> str:
        return self._part(0)

    @cached_property
    def path(self) -> str:
        """Without the query, percent-encoded as it came."""
        return self._part(1)

    @cached_property
    def query(self) -> str:
        """What follows `?`, percent-encoded as it came."""
        return self._part(2)

    @cached_property
    def remote_address(self) -> str:
        return self._part(3)

    def _part(self, index: int) -> str:
        return _text(self._call._rest[0][self._ends[index] + 4:self._ends[index + 1]])

    @cached_property
    def headers(self) -> Headers:
        return Headers(self._call._head_and_body[0])

    @cached_property
    def query_parameters(self) -> dict[str, str]:
        """The query's names and values, decoded; the last value where a name comes twice."""
        from urllib.parse import parse_qsl
        return dict(parse_qsl(self.query, keep_blank_values=True))


class Event(_Body):
    """What a timer, a file, a message or a change of the state brings: a CloudEvent."""

    def __init__(self, call: Context) -> None:
        self._call = call

    @cached_property
    def attributes(self) -> dict[str, str]:
        """All attributes by name. `event.subject` is short for `event.attributes.get("subject", "")`."""
        return dict(self._call._head_and_body[0])

    def __getattr__(self, name: str) -> str:
        if name in ("id", "source", "type", "subject", "path", "name", "watch", "modified", "oldpath", "oldname"):
            return self.attributes.get(name, "")
        raise AttributeError(f"an event has no '{name}'")

    @property
    def time(self) -> datetime.datetime:
        return _instant(self.attributes["time"])

    @property
    def due(self) -> datetime.datetime:
        """When a timer was due."""
        return _instant(self.attributes.get("due", self.attributes["time"]))

    @property
    def change(self) -> str:
        """What became of a file: `created`, `modified`, `deleted` or `moved`; of a key: `set` or `deleted`. What was set is
        the event's body: `event.read()`, `text()` or `json()`."""
        return self.type.rpartition(".")[2]

    @property
    def key(self) -> str:
        """Of the state: what was changed. The changes of a key come one after the other, as they were committed."""
        return self.subject

    @property
    def namespace(self) -> str:
        """Where the key is."""
        return self.source.partition("/state/")[2]

    @property
    def version(self) -> int:
        """What the change gave the key: of two changes of a key, the later has the greater one."""
        return int(self.attributes.get("version", 0))

    @property
    def previous(self) -> Optional[int]:
        """The version that the key had before; None for a key that was not there."""
        previous = self.attributes.get("previous")
        return None if previous is None else int(previous)

    @property
    def size(self) -> int:
        """Of a file, in bytes."""
        return int(self.attributes.get("size", 0))


def _instant(text: str) -> datetime.datetime:
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _json(value: Any) -> bytes:
    import json
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Response:
    """An answer with more to it than a body.

    The body, here or returned alone, is a str, bytes, an iterator of either, which is streamed as fast as the client
    reads (in an `async def` also an asynchronous one), or anything else, which becomes JSON. None is an empty body, and
    returned alone the status 204. A field's name and value are str; where `headers` has no Content-Type, it is that of
    the body's kind. The host adds Content-Length and the like.

    The effects of a call are complete when its response begins: with the return, or, in a handler that yields itself,
    with the first part. What an iterator does later can use the state by `immediately` alone.
    """

    def __init__(self, body: Any = b"", status: int = 200, headers: HeaderFields = ()) -> None:
        self.body, self.status, self.headers = body, status, headers


_TEXT = "text/plain; charset=utf-8"
_TEXT_FIELDS = _fields((), _TEXT)


def _encoded(body: Any) -> tuple[Any, str]:
    """The body as bytes, or as something to iterate over, and its type where nothing else is said."""
    kind = type(body)
    if kind is str:
        return body.encode("utf-8", "replace"), _TEXT
    if body is None or kind is bytes and not body:
        return b"", ""
    if isinstance(body, str):
        return str.encode(body, "utf-8", "replace"), _TEXT
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), "application/octet-stream"
    if hasattr(body, "__aiter__") or hasattr(body, "__next__"):
        return body, "application/octet-stream"
    _need_no_await(body)
    return _json(body), "application/json"


def _need_no_await(result: Any) -> None:
    if hasattr(result, "__await__"):
        raise TypeError(
            "a 'def' has returned what is to be awaited: register the 'async def' itself, or make what is around it one")


class _Pause:
    """Stops the coroutine that works for a `def`, until another frame has come."""

    def __await__(self) -> Iterator[None]:
        yield


_PAUSE = _Pause()


class Context:
    """What a handler knows of its call, and what it may use."""

    # As they stand here for most calls, which then pay nothing for them.
    cancelled = False
    """Whether nobody waits any more, as far as is known; `check` looks."""
    _handles_async = False
    _ended = True
    _reset: Optional[str] = None
    _room = _ungranted = _last_request = _last_scope = _status = 0
    _begun = _wrote = False
    _fields = b""
    _task: Any = None

    def __init__(self, worker: _Worker, number: int, begin: int, rest: tuple[bytes, int, int]) -> None:
        self._worker, self._number, self._came = worker, number, worker._now
        # In what was read: where the payload of the CALL begins, its header or attributes, and where it ends.
        self._begin, self._rest = begin, rest

    @cached_property
    def _head(self) -> tuple[int, bytes, int, int]:
        """The call's kind, its invocation, its attempt, and the microseconds that it may take."""
        return _CALL_HEAD.unpack_from(self._rest[0], self._begin)

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self._head[2]

    @property
    def function(self) -> str:
        """The function's name."""
        return self._worker.function

    @property
    def invocation(self) -> str:
        """The id of the invocation, a UUID."""
        text = self._head[1].hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    @property
    def deadline(self) -> float:
        """When the time limit ends, in seconds on the clock of `time.monotonic()`."""
        return self._came + self._head[3] / 1e6

    @property
    def remaining(self) -> float:
        """The seconds that are left until then."""
        return self.deadline - time.monotonic()

    @property
    def log(self) -> logging.Logger:
        """A logger. Any other will do: `run` sees to it that their lines are those of the call."""
        import logging
        return logging.getLogger(self._worker.function)

    def check(self) -> None:
        """Raises Cancelled when nobody waits any more: for a `def` that computes for long."""
        self._worker._peek()
        if self.cancelled:
            raise Cancelled

    @cached_property
    def state(self) -> State:
        """The function's state."""
        return State(self, 0)

    def send(self, target: str, data: Any = b"", after: float = 0, **attributes: str) -> Any:
        """Sends a message when the call succeeds, with what it writes: to the function `target`, or to all that have a
        trigger for the topic `target`, no sooner than `after` seconds later. Data that is neither a str nor bytes
        becomes JSON; it has 1 MiB at most. `attributes` are those of the CloudEvent, such as `subject`. Waits."""
        return State(self, 0).send(target, data, after, **attributes)

    # The body and the state. Coroutines do it, which `_Worker._wait` drives for a `def`.

    @cached_property
    def _head_and_body(self) -> tuple[list[tuple[str, str]], bytes]:
        """The header of the request, or the attributes of the event, and the first part of the body. Read when asked
        for, since many handlers never ask."""
        buffer, offset, end = self._rest
        try:
            fields, offset = _read_fields(buffer, offset, end)
        except struct.error:
            raise _Violation("a CALL that ends too early") from None
        if end - offset > self._worker.window:
            raise _Violation("a CALL with more body than its window")
        return fields, buffer[offset:end]

    @cached_property
    def _parts(self) -> deque[bytes]:
        """What has come of the body and has not been read."""
        part = self._head_and_body[1]
        return deque((part,) if part else ())

    @cached_property
    def _credit(self) -> int:
        return self._worker.window

    @cached_property
    def _replies(self) -> dict[int, Any]:
        return {}

    @cached_property
    def _waiters(self) -> list[Any]:
        return []

    def _settle(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Waits for it on behalf of a `def`; an `async def` gets it to await."""
        return coroutine if self._handles_async else self._worker._wait(coroutine)

    async def _change(self) -> None:
        """Waits for the next frame of this call."""
        if self._handles_async:
            waiter = self._worker._loop.create_future()
            self._waiters.append(waiter)
            await waiter
        else:
            await _PAUSE
            if self.cancelled:
                raise Cancelled
        self._need_running()

    def _need_running(self) -> None:
        # Its number may be another call's by now.
        if self._worker._calls.get(self._number) is not self:
            raise StateError("invalid", "the call is over")

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
            self._room += self._ungranted
            self._worker._send(_frame(_CREDIT, self._number, _U32.pack(self._ungranted)))
            self._ungranted = 0
        return part

    async def _read_all(self, convert: Callable[[bytes], Any] = bytes) -> Any:
        if not self._ended:
            parts = []
            while True:
                part = await self._read()
                if not part:
                    break
                parts.append(part)
            self._parts.extend(parts)
        return convert(self._all())

    def _all(self) -> bytes:
        """A body that is there as a whole. It stays, to be read again."""
        if self._reset is not None:
            raise Disconnected(self._reset)
        parts = self._parts
        if len(parts) > 1:
            whole = b"".join(parts)
            parts.clear()
            parts.append(whole)
        return parts[0] if parts else b""

    async def _write(self, data: bytes) -> None:
        """Sends a part of the response, as fast as the host grants."""
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
        self._need_running()
        self._last_request = request = self._last_request % 0xFFFFFFFF + 1
        self._wrote = self._wrote or code in (_INCREMENT, _SEND)
        self._worker._send(_operation(self._number, request, scope, code, *payload))
        while request not in self._replies:
            await self._change()
        result = self._replies.pop(request)
        if isinstance(result, Exception):
            raise result
        return result

    async def _submit(self, scope: int, code: int, *payload: bytes) -> None:
        """Sends an operation that has no reply: where it fails, the host fails the call."""
        self._need_running()
        self._wrote = True
        self._worker._send(_operation(self._number, 0, scope, code, *payload))
        while self._worker._has_much_to_send():
            if self._handles_async:
                await self._change()
            else:
                # Nothing need come for it: no frame answers this one.
                self._worker._flush_all()
                if self.cancelled:
                    raise Cancelled


class State:
    """Keys of text and values of bytes that last.

    What is written takes effect when the call succeeds, all of it or nothing; what is read sees it at once. When others
    changed meanwhile what was read, the host runs the handler again. A value is stored as it is when it is bytes, a str
    as UTF-8, and anything else as JSON. A key has 1 to 1,024 bytes, a value 1 MiB at most.
    """

    def __init__(self, call: Context, scope: int) -> None:
        self._call, self._scope = call, scope

    def get(self, key: str) -> Any:
        """The value, as bytes; None where there is none. Waits."""
        return self._do(_GET, _key(key))

    def get_text(self, key: str, default: Any = None) -> Any:
        """The value as a str. Waits."""
        return self._call._settle(self._get(key, _text, default))

    def get_json(self, key: str, default: Any = None) -> Any:
        """The value from JSON. Waits."""
        import json
        return self._call._settle(self._get(key, json.loads, default))

    async def _get(self, key: str, convert: Callable[[bytes], Any], default: Any) -> Any:
        value = await self._call._operate(self._scope, _GET, _key(key))
        return default if value is None else convert(value)

    def set(self, key: str, value: Any) -> Any:
        """Writes a value. What the host cannot do fails the call. Waits."""
        if not isinstance(value, (str, bytes)):
            value = bytes(value) if isinstance(value, (bytearray, memoryview)) else _json(value)
        value = _data(value)
        if len(value) > 4 + _MOST_VALUE:
            raise StateError("invalid", f"the value of '{key}' has {len(value) - 4} bytes; the most is 1 MiB")
        return self._call._settle(self._call._submit(self._scope, _SET, _key(key), value))

    def delete(self, key: str) -> Any:
        """Waits."""
        return self._call._settle(self._call._submit(self._scope, _DELETE, _key(key)))

    def increment(self, key: str, by: int = 1) -> Any:
        """Adds to a number, which is decimal digits, and gives the sum. No key counts as 0. Two increments never
        conflict. Waits."""
        return self._do(_INCREMENT, _key(key), _I64.pack(by))

    def list(self, prefix: str = "", after: Optional[str] = None, limit: int = 1000) -> Any:
        """The keys that begin with `prefix` and come after `after`, with their values: a list of pairs in the order of
        the keys' bytes. Waits."""
        return self._call._settle(self._list(prefix, after, limit))

    async def _list(self, prefix: str, after: Optional[str], limit: int) -> Any:
        entries: Any = []
        more = True
        while more and len(entries) < limit:
            start = bytes([after is not None]) + _key(after or "", least=0)
            most = _U32.pack(min(limit - len(entries), 10_000))
            page, more = await self._call._operate(self._scope, _LIST, _key(prefix, least=0), start, most)
            entries += page
            # A page of the greatest size may have more behind it that the host does not speak of.
            more = (more or len(page) == 10_000) and bool(page)
            after = page[-1][0] if page else after
        return entries

    def send(self, target: str, data: Any = b"", after: float = 0, **attributes: str) -> Any:
        """As `context.send`, with what this state writes: in a block of `immediately` it is sent on the spot, and again
        with the next attempt; give it an `id` where a second one would do harm. Waits."""
        data, content_type = _encoded(data)
        if type(data) is not bytes:
            raise TypeError("the data of a message is a str, bytes, or what becomes JSON")
        if content_type and content_type != "application/octet-stream":
            attributes.setdefault("datacontenttype", content_type)
        fields = _fields(tuple(attributes.items()))
        if len(data) > _MOST_VALUE:
            raise StateError("invalid", f"a message of {len(data)} bytes; the most is 1 MiB")
        # Without the counts, of all and of each name and value.
        size = len(fields) - 4 - 8 * len(attributes)
        if size > _MOST_ATTRIBUTES:
            raise StateError("invalid", f"attributes of {size} bytes; the most is {_MOST_ATTRIBUTES}")
        return self._do(_SEND, _key(target, least=0), _U64.pack(round(after * 1000)), fields, _data(data))

    def immediately(self, body: Callable[[State], Any]) -> Any:
        """Runs `body` with a state whose effects are committed when it returns, whatever becomes of the call, and gives
        its result. Runs it again when others have changed what it read, five times at most. Waits."""
        return self._call._settle(self._immediately(body))

    async def _immediately(self, body: Callable[[State], Any]) -> Any:
        call = self._call
        for _ in range(5):
            call._last_scope += 1
            inner = State(call, call._last_scope)
            try:
                result = body(inner)
                if hasattr(result, "__await__"):
                    result = await result
            except BaseException:
                if call._worker._calls.get(call._number) is call:
                    call._worker._send(_operation(call._number, 0, inner._scope, _ABANDON))
                raise
            try:
                await call._operate(inner._scope, _COMMIT)
                return result
            except Conflict:
                continue
        raise Conflict("others changed what was read, five times in a row")

    def _do(self, code: int, *payload: bytes) -> Any:
        return self._call._settle(self._call._operate(self._scope, code, *payload))


def _key(key: str, least: int = 1) -> bytes:
    """A key, or the name of who gets a message, as `string`."""
    if not isinstance(key, str):
        raise TypeError(f"a key, or a name, is a str, not {type(key).__name__}")
    try:
        data = key.encode()
    except UnicodeEncodeError:
        # Replaced, two of them might become the same.
        raise StateError("invalid", f"{key!r} is no Unicode text: it has half of a surrogate pair") from None
    if not least <= len(data) <= _MOST_KEY:
        raise StateError("invalid", f"a key, or a name, of {len(data)} bytes; it must have {least} to 1,024")
    return _U32.pack(len(data)) + data


# MARK: The worker

_current: ContextVar[Optional[Context]] = ContextVar("apus call", default=None)


class _Worker:
    """The connection to the host: reads frames, runs the handlers, sends what they answer.

    One read takes all frames that have come, and one write sends all that are ready.
    """

    function = "apus"
    window = concurrency = 0
    _loop: Any = None
    # Bytes that may wait to be sent. More log lines are dropped, and counted; more state waits.
    _most_waiting = 256 << 10
    # After a call that took longer, in seconds, answers leave one by one for a while: the next may take long, too.
    _patience = 0.0002

    def __init__(self, connection: _socket.socket, handlers: dict[int, Callable[..., Any]]) -> None:
        self._socket, self._handlers = connection, handlers
        connection.setblocking(True)
        os.set_inheritable(connection.fileno(), False)
        self._is_async = {kind: _is_async(handler) for kind, handler in handlers.items()}
        self._buffer, self._offset, self._now = b"", 0, 0.0
        # Bytes of the next frame that have not come, once that is known; 0 while there may be a whole one to take.
        self._missing = 12
        self._out: list[Any] = []
        self._sending = _thread.allocate_lock()
        self._thread = _thread.get_ident()
        self._waiting_lines = self._dropped_lines = 0
        self._calls: dict[int, Context] = {}
        self._ready: deque[tuple[Context, Any, int]] = deque()
        self._running: Optional[Context] = None
        self._is_leaving = self._has_flush = self._has_writer = False

    def run(self) -> None:
        """Serves until the host says goodbye. Ends the process when the host is gone or not to be understood."""
        triggers = sum(1 << kind for kind in self._handlers)
        self._send(_frame(_HELLO, 0, struct.pack("<HH", _VERSION, triggers), _data(_NAME)))
        try:
            while not self.window:
                self._turn()
            if any(self._is_async.values()):
                import asyncio
                asyncio.run(self._serve_async())
            else:
                self._serve()
        except (_Violation, MemoryError) as error:
            _end(error)

    # Reading

    def _receive(self, flags: int = 0) -> None:
        """Reads what has come; without a flag, waits for something."""
        try:
            data = self._socket.recv(max(65536, min(self._missing, 1 << 20)), flags)
        except ConnectionError as error:
            _end(error)
        if not data:
            _end(EOFError())
        self._now = time.monotonic()
        self._buffer = data if self._offset == len(self._buffer) else self._buffer[self._offset:] + data
        self._offset = self._missing = 0

    def _next(self) -> Optional[tuple[Context, Any, int]]:
        """The next call that has come, after what came before it. None when no more frame has come as a whole."""
        while True:
            buffer, offset = self._buffer, self._offset
            begin = offset + 12
            if len(buffer) < begin:
                self._missing = begin - len(buffer)
                return None
            length, kind, flags, _, number = _HEADER.unpack_from(buffer, offset)
            end = begin + length
            if end > len(buffer):
                if length > _MOST:
                    raise _Violation(f"a payload of {length} bytes")
                self._missing = end - len(buffer)
                return None
            self._offset = end
            try:
                if kind == _CALL:
                    return self._read_call(buffer, begin, end, flags, number)
                self._take(kind, flags, number, buffer[begin:end])
            except (struct.error, IndexError):
                raise _Violation(f"a frame of type {kind:#x} that ends too early") from None

    def _read_call(self, buffer: bytes, offset: int, end: int, flags: int, number: int) -> tuple[Context, Any, int]:
        kind = buffer[offset]
        # Before WELCOME, there may be none at once.
        if number in self._calls or not number or kind > 4 or len(self._calls) >= self.concurrency:
            raise _Violation(f"a CALL of kind {kind} with the number {number}, beside {len(self._calls)} others")
        begin, offset = offset, offset + _CALL_HEAD.size
        payload: Any
        if kind == 0:
            path = offset + 4 + _u32(buffer, offset)[0]
            query = path + 4 + _u32(buffer, path)[0]
            remote = query + 4 + _u32(buffer, query)[0]
            last = remote + 4 + _u32(buffer, remote)[0]
            parameters, header = _read_fields(buffer, last, end)
            call = Context(self, number, begin, (buffer, header, end))
            payload = Request(call, (offset, path, query, remote, last), dict(parameters))
        else:
            call = Context(self, number, begin, (buffer, offset, end))
            payload = Event(call)
        if call._rest[1] > end:
            raise _Violation("a CALL that ends too early")
        self._calls[number] = call
        if self._is_async.get(kind):
            call._handles_async = True
        if not flags & _END:
            call._ended = False
            call._room = self.window - len(call._head_and_body[1])
        return call, payload, kind

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """Acts on a frame that is no CALL."""
        if kind == _WELCOME:
            version, concurrency, window, size = _WELCOME_HEAD.unpack_from(payload)
            if self.window or version != _VERSION or not window or len(payload) != 14 + size:
                raise _Violation("a WELCOME that is not as described, or a second one")
            self.concurrency, self.window, self.function = concurrency, window, _text(payload[14:])
            return
        if kind == _GOODBYE:
            if payload:
                raise _Violation("a GOODBYE that is not as described")
            self._is_leaving = True
            return
        if kind not in (_CANCEL, _BODY, _CREDIT, _RESET, _STATE_REPLY):
            raise _Violation(f"a frame of type {kind:#x}")
        call = self._calls.get(number)
        if call is None:
            return
        if kind == _BODY:
            call._room -= len(payload)
            if call._ended or call._room < 0:
                raise _Violation("a BODY past its end or its window")
            if payload:
                call._parts.append(payload)
            call._ended = bool(flags & _END)
        elif kind == _CREDIT:
            if len(payload) != 4:
                raise _Violation("a CREDIT that is not as described")
            call._credit += _u32(payload)[0]
        elif kind == _RESET:
            if len(payload) != 4 + _u32(payload)[0]:
                raise _Violation("a RESET that is not as described")
            call._reset, call._ended = _text(payload[4:]), True
        elif kind == _STATE_REPLY:
            call._replies[_u32(payload)[0]] = _read_reply(payload)
        else:
            if payload:
                raise _Violation("a CANCEL that is not as described")
            call.cancelled = True
            if call._task is not None:
                call._task.cancel()
        call._wake()

    # Writing

    def _send(self, frame: bytes) -> None:
        self._out.append(frame)
        if self._loop is not None:
            self._flush_later()

    def _flush_later(self) -> None:
        """Sends once the tasks that are due have run: also those that have just been started."""
        if not self._has_flush:
            self._has_flush = True
            self._loop.call_soon(self._flush_soon)

    def _flush(self) -> bool:
        """Sends what is ready, as far as the socket takes it now. Whether that was all.

        Any thread may add to what is ready meanwhile, and one at a time sends."""
        out = self._out
        if not self._sending.acquire(False):
            return False
        try:
            while out:
                count = len(out)
                data = out[0] if count == 1 else b"".join(out[:count])
                try:
                    sent = self._socket.send(data, _socket.MSG_DONTWAIT)
                except BlockingIOError:
                    sent = 0
                except ConnectionError as error:
                    _end(error)
                if sent < len(data):
                    out[:count] = [memoryview(data)[sent:]]
                    return False
                del out[:count]
            self._waiting_lines = 0
            return True
        finally:
            self._sending.release()

    def _flush_all(self) -> bool:
        """Sends all that is ready, and reads meanwhile: a host that cannot send does not read, either. Whether it has
        taken something, which may be what the caller was about to wait for."""
        has_taken = False
        while not self._flush():
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLOUT)
            if any(events & ~select.POLLOUT for _, events in poll.poll()):
                self._receive(_socket.MSG_DONTWAIT)
                self._queue()
                has_taken = True
        return has_taken

    def _flush_soon(self) -> None:
        self._has_flush = False
        if not self._flush():
            self._watch_for_room()

    def _watch_for_room(self) -> None:
        if not self._has_writer:
            self._has_writer = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._flush():
            self._has_writer = False
            self._loop.remove_writer(self._socket.fileno())
            for call in list(self._calls.values()):
                call._wake()

    def _has_much_to_send(self) -> bool:
        if sum(map(len, self._out)) <= self._most_waiting or self._flush():
            return False
        if self._loop is not None:
            # Whoever waits now must be woken, also when the rest leaves in a flush that is due already.
            self._watch_for_room()
        return True

    # Calls of a `def`

    def _serve(self) -> None:
        ready, hurry, then = self._ready, 0, 0.0
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
            now = time.monotonic()
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
            chunks = self._answer(call, kind, self._handlers[kind](payload, call))
            if chunks is not None:
                self._wait(self._stream(call, chunks))
        except (Exception, Cancelled) as error:
            self._fail(call, kind, error)
        self._running = None
        if self._loop is not None:
            self._leave()

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Drives what waits for the host."""
        try:
            while True:
                coroutine.send(None)
                self._turn()
        except StopIteration as end:
            return end.value

    def _turn(self) -> None:
        """Sends what is ready, and takes what has come; where nothing has, waits."""
        if not self._flush_all() and self._missing:
            self._receive()
        self._queue()

    def _peek(self) -> None:
        """Sends what is ready and takes what has come, without waiting."""
        self._flush()
        self._queue()
        try:
            self._receive(_socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        self._queue()

    def _queue(self) -> None:
        """Takes what has come, and leaves the calls among it for later."""
        while True:
            job = self._next()
            if job is None:
                return
            if self._loop is None:
                self._ready.append(job)
            else:
                self._start(job)

    # Calls of an `async def`

    async def _serve_async(self) -> None:
        import asyncio
        self._cancellation = asyncio.CancelledError
        eager = {"eager_start": True} if sys.version_info >= (3, 12) else {}
        self._current_task = asyncio.current_task
        self._loop = loop = asyncio.get_running_loop()
        self._new_task = lambda coroutine: asyncio.Task(coroutine, loop=loop, **eager)
        self._left = self._loop.create_future()
        while self._ready:
            self._start(self._ready.popleft())
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._leave()
        await self._left
        self._loop.remove_reader(self._socket.fileno())
        self._loop = None
        self._flush_all()

    def _readable(self) -> None:
        try:
            self._receive(_socket.MSG_DONTWAIT)
            self._queue()
        except BlockingIOError:
            pass
        except _Violation as error:
            _end(error)
        self._flush_later()
        self._leave()

    def _leave(self) -> None:
        if self._is_leaving and not self._calls and not self._left.done():
            self._left.set_result(None)

    def _start(self, job: tuple[Context, Any, int]) -> None:
        if job[0]._handles_async:
            self._new_task(self._perform(*job))
        else:
            self._loop.call_soon(self._run, job)

    async def _perform(self, call: Context, payload: Any, kind: int) -> None:
        _current.set(call)
        # From here on it can be cancelled. A task that is cancelled earlier would never come here, to say so.
        call._task = self._current_task()
        try:
            if call.cancelled:
                raise self._cancellation
            result = self._handlers[kind](payload, call)
            if hasattr(result, "__await__"):
                result = await result
            chunks = self._answer(call, kind, result)
            if chunks is not None:
                await self._stream(call, chunks)
        except (Exception, self._cancellation) as error:
            self._fail(call, kind, error)
        except _Violation as error:
            _end(error)
        call._wake()
        self._leave()

    # Answers

    def _answer(self, call: Context, kind: int, result: Any) -> Any:
        """Answers, and gives what is left to be streamed, or None."""
        number = call._number
        if kind:
            if result is not None:
                _need_no_await(result)
            self._send(_HEADER.pack(0, _ACKNOWLEDGE, 0, 0, number))
            del self._calls[number]
            return None
        status, pairs, body = (204 if result is None else 200), (), result
        if type(result) is not str and isinstance(result, Response):
            status, headers, body = result.status, result.headers, result.body
            pairs = tuple(headers.items() if hasattr(headers, "items") else map(tuple, headers))
        body, content_type = _encoded(body)
        if type(body) is bytes and len(body) <= self.window:
            fields = _TEXT_FIELDS if content_type is _TEXT and not pairs else _fields(pairs, content_type)
            size = 2 + len(fields) + len(body)
            self._send(_RESPONSE_HEAD.pack(size, _RESPONSE, _END, 0, number, status) + fields + body)
            del self._calls[number]
            return None
        if type(body) is bytes:
            pairs, body = pairs + (("Content-Length", str(len(body))),), iter((body,))
        call._status, call._fields = status, _fields(pairs, content_type)
        if not isinstance(result, (GeneratorType, AsyncGeneratorType)):
            self._begin(call)
            (self._flush if call._handles_async else self._flush_all)()
        return body

    async def _stream(self, call: Context, chunks: Any) -> None:
        """Sends a response in pieces. The head of a handler that yields leaves with the first of them."""
        try:
            async for chunk in _each(chunks):
                if isinstance(chunk, str):
                    chunk = chunk.encode("utf-8", "replace")
                if not isinstance(chunk, (bytes, bytearray, memoryview)):
                    raise TypeError(f"a part of a body is a str or bytes, not {type(chunk).__name__}")
                if not call._begun:
                    self._begin(call)
                await call._write(bytes(chunk))
                if not call._handles_async:
                    call.check()
        finally:
            if hasattr(chunks, "aclose"):
                await chunks.aclose()
            elif hasattr(chunks, "close"):
                chunks.close()
        if not call._begun:
            self._begin(call)
        self._send(_HEADER.pack(0, _BODY, _END, 0, call._number))
        del self._calls[call._number]

    def _begin(self, call: Context) -> None:
        call._begun = True
        head = _RESPONSE_HEAD.pack(2 + len(call._fields), _RESPONSE, 0, 0, call._number, call._status)
        self._send(head + call._fields)

    def _fail(self, call: Context, kind: int, error: BaseException) -> None:
        """Ends a call whose handler has raised."""
        if isinstance(error, MemoryError):
            _end(error)
        if isinstance(error, HTTPError) and kind == 0 and not call._begun:
            try:
                response = Response(error.message, error.status, error.headers)
                if call._wrote:
                    self._send(_operation(call._number, 0, 0, _ABANDON))
                if self._answer(call, kind, response) is None:
                    return
                raise ValueError("the message of an HTTPError is too long: return a Response instead")
            except Exception as unanswerable:
                error = unanswerable
        is_meant = isinstance(error, (HTTPError, Permanent))
        if not is_meant and not call.cancelled:
            import traceback
            lines = traceback.format_exception(type(error), error, error.__traceback__)
            self._log(call._number, 5, "".join(lines).rstrip())
        reason = _data(_cut(str(error) if is_meant else f"{type(error).__name__}: {error}", _MOST_LINE))
        del self._calls[call._number]
        if call._begun:
            self._send(_frame(_RESET, call._number, reason))
        else:
            permanent = isinstance(error, Permanent) or isinstance(error, HTTPError) and 400 <= error.status < 500
            self._send(_frame(_FAILURE, call._number, bytes([permanent]), reason))

    def _log(self, number: int, level: int, text: str, metadata: Pairs = ()) -> None:
        """Sends a line, from whatever thread."""
        # Never within a write: a line may come from anywhere, even from where an object is deleted.
        may_wait = self._loop is None and _thread.get_ident() == self._thread and not self._sending.locked()
        if self._waiting_lines > self._most_waiting and not may_wait:
            self._dropped_lines += 1
            return
        if self._dropped_lines:
            dropped, self._dropped_lines = self._dropped_lines, 0
            self._log(0, 4, f"{dropped} log lines were dropped: they came faster than they could be sent")
        fields = tuple((_cut(name, _MOST_FIELD), _cut(value, _MOST_FIELD)) for name, value in metadata[:_MOST_FIELDS])
        frame = _frame(_LOG, number, bytes([level]), _data(_cut(text, _MOST_LINE)), _encoded_fields(fields, ""))
        self._waiting_lines += len(frame)
        self._out.append(frame)
        if may_wait:
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
    """Whether it is an `async def`, or a `partial` of one: a coroutine or an asynchronous generator (`co_flags` in the
    module inspect)."""
    while isinstance(handler, partial):
        handler = handler.func
    code = getattr(handler, "__code__", None) or getattr(getattr(handler, "__call__", None), "__code__", None)
    return bool(code and code.co_flags & (0x80 | 0x200))


def _end(error: BaseException) -> NoReturn:
    """Ends the process at once: whatever a handler would catch, nothing can be committed any more."""
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


def _register(kind: int, handler: _Handler) -> _Handler:
    if kind in _handlers:
        raise RuntimeError(f"a second handler for @apus.{_KINDS[kind]}: {handler}")
    _handlers[kind] = handler
    return handler


def http(handler: _Handler) -> _Handler:
    """Serves HTTP requests: `handler(request, context)` returns a Response, or what a Response takes as its body."""
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
    """Serves the calls of the handlers until the host says goodbye, and then returns."""
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
    if any(map(_is_async, _handlers.values())):
        # Before the host knows of this worker, and calls wait for it.
        import asyncio
    if "logging" in sys.modules:
        _use_logging()
    else:
        sys.meta_path.insert(0, _LoggingFinder())
    _worker = _Worker(_socket.socket(fileno=3), _handlers)
    os.register_at_fork(after_in_child=_forget)
    gc.collect()
    gc.freeze()
    _worker.run()


def _forget() -> None:
    """In a child process: the socket is its parent's."""
    global _worker
    if _worker is not None:
        _worker._socket.close()
        _worker = None


class _LoggingFinder:
    """Lets `logging`, which takes a worker as long to import as all else, have its handler when somebody imports it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in sys.meta_path)))
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _use_logging()
        spec.loader.exec_module = exec_module
        return spec


def _use_logging() -> None:
    import logging
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(__getattr__("LogHandler")())
        root.setLevel(min(root.level, logging.INFO))


def __getattr__(name: str) -> Any:
    if name != "LogHandler":
        raise AttributeError(f"module 'apus' has no attribute '{name}'")
    return globals().get(name) or globals().setdefault(name, _log_handler())


def _log_handler() -> type[logging.Handler]:
    import logging
    standard = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    class LogHandler(logging.Handler):
        """Sends what is logged to the host, as lines of the call in which it is logged, with `extra` as their metadata.

        `run` adds one to the root logger, for level INFO and above, unless the root logger has a handler already.
        """

        def emit(self, record: logging.LogRecord) -> None:
            try:
                text, worker = self.format(record), _worker
                if worker is None:
                    print(text, file=sys.stderr)
                    return
                call = _current.get() or worker._running
                number = call._number if call is not None and worker._calls.get(call._number) is call else 0
                metadata = tuple((name, str(value)) for name, value in vars(record).items() if name not in standard)
                # TRACE 0, DEBUG 1, INFO 2, NOTICE 3, WARNING 4, ERROR 5, CRITICAL 6
                step = record.levelno // 10
                level = step if record.levelno <= 20 else 3 if step == 2 else min(step + 1, 6)
                worker._log(number, max(level, 0), text, metadata)
            except Exception:
                self.handleError(record)

    LogHandler.__qualname__ = "LogHandler"
    return LogHandler
