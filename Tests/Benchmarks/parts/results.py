"""A run as a file: what was measured, where, and of which commit."""
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import time

from parts.report import table
from parts.servers import ROOT

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "results"


def git(*arguments):
    """What git says; nothing outside of a repository."""
    found = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else ""


def machine():
    information = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", information, re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(), "cpu": model.group(1) if model else platform.machine(),
        "memory": f"{pages / 2**30:.0f} GiB", "kernel": platform.release(),
    }


def busy():
    """The share of the machine that others take now, for half a second."""
    def times():
        values = [int(word) for word in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = times()
    time.sleep(0.5)
    total, idle = times()[0] - total, times()[1] - idle
    return max(0, 1 - idle / total)


def write(parts, options, others):
    """Writes the tables of each part, and returns the file's path. `others` is the share of the machine that others took
    before a part began, at most."""
    now = datetime.datetime.now(datetime.timezone.utc)
    changed = git("status", "--porcelain", "--untracked-files=no")
    commit = (git("rev-parse", "--short=10", "HEAD") or "unknown") + ("-changed" if changed else "")
    head = {
        "commit": commit, "date": now.isoformat(timespec="minutes"), "machine": machine(),
        "rounds": options.rounds, "seconds": options.seconds, "busy": round(others, 2),
    }
    bodies = ",\n".join(
        f'{json.dumps(name)}: [\n' + ",\n".join(found.json() for found in tables) + "]"
        for name, tables in parts.items())
    text = json.dumps(head, ensure_ascii=False)[:-1] + f',\n"parts": {{\n{bodies}}}}}\n'
    FOLDER.mkdir(exist_ok=True)
    kind = "quick-" if options.quick else ""
    path = FOLDER / f"{kind}{now:%Y-%m-%d-%H%M}-{commit}.json"
    path.write_text(text)
    return path


def read(path):
    """A run that `write` has written, with `parts` as tables."""
    run = json.loads(pathlib.Path(path).read_text())
    run["parts"] = {name: [table(document) for document in tables] for name, tables in run["parts"].items()}
    return run
