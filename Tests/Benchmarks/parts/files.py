"""A burst of file changes: how many calls come of it, and how fast."""
import collections
import os
import time

from parts.hosts import host, recorder
from parts.report import Table, at_most, interleaved, rows
from parts.servers import BUILD, need, temporary_folder

IN_A_FOLDER = 1000


def write(folder, count):
    """As many new files, of one byte each, as a program can make one after the other."""
    for index in range(count):
        if index % IN_A_FOLDER == 0:
            (folder / f"d{index // IN_A_FOLDER}").mkdir()
        file = os.open(folder / f"d{index // IN_A_FOLDER}" / f"f{index}", os.O_WRONLY | os.O_CREAT)
        os.write(file, b"x")
        os.close(file)


def burst(count):
    with temporary_folder() as home:
        folder = home / "watched"
        folder.mkdir()
        with host(home, {"f": recorder("f", [f"file: {{ watch: {folder} }}"])}, "/f") as apus:
            begin = time.perf_counter()
            write(folder, count)
            written = time.perf_counter()
            while apus.function("f")["queue"]["done"] < count and time.perf_counter() < written + 120:
                time.sleep(0.1)
            end = time.perf_counter()
            # What would come twice would come soon.
            time.sleep(1)
            calls = collections.Counter(apus.get("/f").splitlines())
    expected = {f"created d{index // IN_A_FOLDER}/f{index}" for index in range(count)}
    return {"written in s": written - begin, "handled after s": end - begin, "changes/s": count / (end - begin),
            "lost": len(expected - set(calls)), "doubled or wrong": calls.total() - len(expected & set(calls))}


def measure(options):
    need(BUILD / "apus", BUILD / "Recorder")
    options.rounds = min(options.rounds, 3)
    count = 10_000 if options.quick else 100_000
    name = f"{count:,} new files"
    yield Table(
        "A burst of file changes", rows(
            interleaved(options, {name: lambda: burst(count)}),
            {name: [at_most(0, "lost"), at_most(0, "doubled or wrong")]}),
        "The handler is called once for each. *changes/s* counts from the first file written to the last call that is "
        "settled on disk.")
