"""Start until the first answer, and what a request costs then, by the number of manifests."""
import contextlib

from parts.hosts import host
from parts.report import Table, at_most, interleaved, ratios, rows
from parts.servers import BUILD, manifest, need, temporary_folder

GOALS = {1000: [at_most(2, "serves after s")], 10_000: [at_most(15, "serves after s"), at_most(1.1, "ratio")]}


def name(count):
    return f"{count:,} manifests"


def functions(count):
    return {f"f{index}": manifest(f"f{index}", "{ concurrency: 64 }") for index in range(count)}


def started(count):
    with temporary_folder() as home, host(home, functions(count), "/f7/Ada") as apus:
        return {"serves after s": apus.seconds}


def costs(options, counts):
    with contextlib.ExitStack() as stack:
        hosts = {count: stack.enter_context(host(stack.enter_context(temporary_folder()), functions(count), "/f7/Ada"))
                 for count in counts}
        for apus in hosts.values():
            apus.cost("/f7/Ada", 50_000)
        return interleaved(options, {
            name(count): lambda apus=apus: {"µs a request": apus.cost("/f7/Ada", 50_000 * options.seconds)}
            for count, apus in hosts.items()})


def measure(options):
    need("wrk", BUILD / "apus", BUILD / "Hello")
    counts = (10, 1000, 10_000)
    results = interleaved(options, {name(count): lambda count=count: started(count) for count in counts})
    for key, values in costs(options, counts).items():
        results[key].update(values)
    base = results[name(10)]["µs a request"]
    for values in results.values():
        values["ratio"] = ratios(values["µs a request"], base)
    yield Table(
        "Start, and a request then", rows(results, {name(count): goals for count, goals in GOALS.items()}),
        "From the start of the process to the first answer of a function. *µs a request* is the processor that the host "
        "takes for a request to one function, 32 connections.")
