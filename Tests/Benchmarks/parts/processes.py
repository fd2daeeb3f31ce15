"""What processes have used."""
import contextlib
import os
import pathlib

TICK = os.sysconf("SC_CLK_TCK")


def table():
    """{process: (parent, seconds of processor time, also of children that it has waited for)}"""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        # It may end meanwhile.
        with contextlib.suppress(OSError):
            # The name, in parentheses, may have blanks; proc_pid_stat(5) counts from 1.
            fields = path.read_text().rpartition(")")[2].split()
            found[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / TICK
    return found


def children():
    """Those of this process."""
    return {process for process, (parent, _) in table().items() if parent == os.getpid()}


def processor_seconds(roots):
    """What these processes and their descendants have used, in user mode and in the kernel."""
    processes, seconds, next_ones = table(), 0, set(roots)
    while next_ones:
        seconds += sum(processes[process][1] for process in next_ones if process in processes)
        next_ones = {process for process, (parent, _) in processes.items() if parent in next_ones}
    return seconds
