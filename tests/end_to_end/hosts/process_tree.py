"""Processes of this machine, by Linux's /proc."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def command_line(pid: int) -> list[str]:
    """The words a process was started with; none when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return os.fsdecode(words).split("\0")[:-1]


def processor_time(pid: int) -> int:
    """The processor time a process has used in user mode, in ticks (proc_pid_stat(5))."""
    # The name, in parentheses, may hold blanks and parentheses of its own.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11])


def running_in(directory: Path) -> list[int]:
    """The processes, in the order of their ids, that name a file below `directory` in
    their command line: helpers outlive a host's process group where it gives each one a
    group of its own, as Erlang does."""
    prefix = f"{directory}/"
    return sorted(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and any(prefix in word for word in command_line(int(entry.name)))
    )


def kill(pid: int) -> None:
    """SIGKILL, to a process that may just have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
