"""Profiles of LLVM: how often the functions of a program, and the branches in them, have run."""
import re
import subprocess

# What has run less often than so is left out: nothing is lost by not knowing it, and the file stays small.
ENOUGH = 1000
COUNTS = re.compile(r"^# Counter Values:\n((?:\d+\n)+)", re.MULTILINE)
# Before the names that an object file has for itself alone.
PATH = re.compile(r"^/.*;", re.MULTILINE)


def merged(paths, tool):
    """The sum of raw profiles, as text, without what has hardly run. `tool` is the toolchain's llvm-profdata."""
    command = [tool, "merge", "--sparse", "--text", "--output=-", *paths]
    return frequent(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def frequent(text, enough=ENOUGH):
    """A profile in LLVM's text format without the functions of which no part has run so often, and without those that
    are named after the path of their object file: that is another one in each clone. Records end with an empty line;
    the first has the profile's kind before it."""
    kind, rest = re.match(r"((?:#.*\n)*:.*\n)([\s\S]*)", PATH.sub(";", text)).groups()
    records = (record.strip("\n") + "\n" for record in rest.split("\n\n") if record.strip())
    kept = (record for record in records if not record.startswith(";") and most(record) >= enough)
    return kind + "".join(readable(record) + "\n" for record in kept)


def most(record):
    """How often that part of a function ran which ran most often."""
    return max(map(int, COUNTS.search(record).group(1).split()))


def readable(record):
    """With an explicit number of bitmap bytes behind the counts, none: LLVM takes a line that begins with a dollar for
    that number, as the next record does whose function is in Swift."""
    return COUNTS.sub(lambda found: f"{found.group()}# Num Bitmap Bytes:\n$0\n", record)
