"""Does what its request asks for, as Tests/ContractWorker does in Swift: the last component of the path is the operation,
the query has its arguments. `CONTRACT_ASYNC` in its environment makes its handlers `async def`; `CONTRACT_START` says how
it starts: `crash`, `refuse`, `slow` (a second) or `never`.
"""
import asyncio
import os
import pathlib
import signal
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "Runtime" / "SDK" / "python"))
import apus  # noqa: E402


class Arguments:
    def __init__(self, request):
        self.text = request.query_parameters

    def number(self, name, default):
        return int(self.text.get(name, default))


def misbehave(operation, arguments, context):
    """What takes no waiting, or waits for nobody."""
    if operation == "block":
        time.sleep(arguments.number("ms", 100) / 1000)
    elif operation == "ignore-term":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(3600)
    elif operation == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    elif operation == "exit":
        sys.exit(arguments.number("status", 3))
    elif operation == "fail":
        raise apus.Permanent(arguments.text.get("message", "told to fail"))
    elif operation == "raise":
        raise ValueError("told to raise")
    elif operation == "allocate":
        return str(len(bytearray(b"x") * (arguments.number("mib", 64) << 20)))
    elif operation == "flood":
        line = b"l" * 1023 + b"\n"
        for _ in range((arguments.number("mib", 1) << 20) // len(line)):
            os.write(2, line)
    elif operation == "garbage":
        os.write(3, b"\xff" * 64)
        time.sleep(60)
    elif operation == "print":
        print(arguments.text.get("text", "printed"), file=sys.stderr)
    elif operation == "log":
        context.log.warning(arguments.text.get("text", "logged"), extra={"key": "value"})
    elif operation == "environment":
        value = os.environ.get(arguments.text.get("name", ""))
        return value if value is not None else apus.Response("no such variable\n", 404)
    elif operation == "pid":
        return f"{os.getpid()}\n"
    else:
        raise apus.HTTPError(404, f"no operation '{operation}'\n")
    return "done\n"


def stream(arguments):
    chunk = b"x" * arguments.number("size", 1024)
    for _ in range(arguments.number("chunks", 10)):
        yield chunk
        print("wrote", file=sys.stderr, flush=True)


def broken():
    yield "the first part\n"
    raise apus.Permanent("told to break off")


def describe(request):
    parameters = ",".join(f"{name}={value}" for name, value in sorted(request.parameters.items()))
    return f"{request.method} {request.path}?{request.query} [{parameters}]\n"


def respond(request, context):
    operation, arguments = request.path.rpartition("/")[2], Arguments(request)
    state, key = context.state, arguments.text.get("key", "key")
    if operation == "echo":
        return request.read()
    if operation == "echo-stream":
        return request.chunks()
    if operation == "count":
        return f"{sum(map(len, request.chunks()))}\n"
    if operation == "stream":
        return stream(arguments)
    if operation == "break":
        return broken()
    if operation == "request":
        return describe(request)
    if operation == "sleep":
        time.sleep(arguments.number("ms", 100) / 1000)
    elif operation == "stubborn":
        print("stubborn", file=sys.stderr)
        time.sleep(arguments.number("ms", 60_000) / 1000)
    elif operation == "get":
        return state.get_text(key, "")
    elif operation == "set":
        state.set(key, arguments.text.get("value", ""))
    elif operation == "delete":
        state.delete(key)
    elif operation == "increment":
        return f"{state.increment(key, arguments.number('by', 1))}\n"
    elif operation == "add":
        total = int(state.get_text(key, "0")) + arguments.number("by", 1)
        state.set(key, str(total))
        time.sleep(arguments.number("ms", 0) / 1000)
        return f"{total}\n"
    elif operation == "list":
        return "".join(f"{key}={value.decode()}\n" for key, value in state.list(arguments.text.get("prefix", "")))
    elif operation == "set-and-fail":
        state.set(key, arguments.text.get("value", ""))
        raise apus.Permanent("told to fail after a write")
    elif operation == "set-and-refuse":
        state.set(key, arguments.text.get("value", ""))
        raise apus.HTTPError(403, "told to refuse after a write\n")
    elif operation in ("send", "send-and-fail"):
        context.send(arguments.text.get("to", ""), arguments.text.get("text", ""))
        state.increment("sent")
        if operation == "send-and-fail":
            raise apus.Permanent("told to fail after it has sent")
    elif operation == "immediately":
        state.immediately(lambda state: state.set(key, "now"))
    else:
        return misbehave(operation, arguments, context)
    return "done\n"


async def respond_async(request, context):
    operation, arguments = request.path.rpartition("/")[2], Arguments(request)
    state, key = context.state, arguments.text.get("key", "key")
    if operation == "echo":
        return await request.read()
    if operation == "echo-stream":
        return request.chunks()
    if operation == "count":
        return f"{sum([len(chunk) async for chunk in request.chunks()])}\n"
    if operation == "stream":
        return stream(arguments)
    if operation == "break":
        return broken()
    if operation == "request":
        return describe(request)
    if operation == "sleep":
        await asyncio.sleep(arguments.number("ms", 100) / 1000)
    elif operation == "stubborn":
        print("stubborn", file=sys.stderr)
        # A task of its own is not cancelled with the call.
        sleeper = asyncio.create_task(asyncio.sleep(arguments.number("ms", 60_000) / 1000))
        while not sleeper.done():
            try:
                await asyncio.shield(sleeper)
            except asyncio.CancelledError:
                pass
    elif operation == "get":
        return await state.get_text(key, "")
    elif operation == "set":
        await state.set(key, arguments.text.get("value", ""))
    elif operation == "increment":
        return f"{await state.increment(key, arguments.number('by', 1))}\n"
    elif operation == "add":
        total = int(await state.get_text(key, "0")) + arguments.number("by", 1)
        await state.set(key, str(total))
        await asyncio.sleep(arguments.number("ms", 0) / 1000)
        return f"{total}\n"
    elif operation == "list":
        entries = await state.list(arguments.text.get("prefix", ""))
        return "".join(f"{key}={value.decode()}\n" for key, value in entries)
    elif operation == "immediately":
        async def write(state):
            await state.set(key, "now")
        await state.immediately(write)
    else:
        return misbehave(operation, arguments, context)
    return "done\n"


def run(event, context):
    """Leaves a trace in the state and in the log; fails when the environment says so."""
    context.log.info("timer", extra={"id": event.id})
    context.state.increment("timers")
    if "CONTRACT_FAIL" in os.environ:
        raise apus.Permanent("told to fail")


def receive(event, context):
    """Counts messages, and passes on one that names a target."""
    context.state.increment("messages")
    context.state.set(f"message/{event.id}", event.attributes.get("apusdepth", ""))
    target = event.text()
    if target:
        context.send(target, target)


def follow(event, context):
    """Leaves the change in the state, counts it, and says when it is not the next one of its key; writes what its value
    names, if any, so that it may call itself."""
    context.state.increment("changes")
    if (event.previous or 0) != int(context.state.get_text(f"last/{event.key}", "0")):
        context.state.increment("gaps")
    context.state.set(f"last/{event.key}", str(event.version))
    value = event.text() if event.change == "set" else "deleted"
    context.state.set(f"change/{event.key}/{event.version}", f"{value[:100]} {event.previous or 0}")
    context.state.set(f"depth/{event.key}", event.attributes.get("apusdepth", ""))
    if value.startswith("again "):
        context.state.set(value[6:], value)


if __name__ == "__main__":
    start = os.environ.get("CONTRACT_START")
    if start == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    elif start == "refuse":
        sys.exit("told to refuse")
    elif start == "slow":
        time.sleep(1)
    elif start == "never":
        time.sleep(3600)
    apus.http(respond_async if "CONTRACT_ASYNC" in os.environ else respond)
    apus.timer(run)
    apus.message(receive)
    apus.state(follow)
    apus.run()
