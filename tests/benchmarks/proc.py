"""What the kernel says of a process (proc(5)), and of the processor."""

import re
from pathlib import Path


def processor_time(pid: int) -> float:
    """The seconds of processor time that the threads of a process have used."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident(pid: int) -> int:
    """The bytes of memory that a process holds, its program's own pages included."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def children(pid: int) -> list[int]:
    """The processes that the main thread of a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor() -> str:
    """The processor's name."""
    name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return name[1].strip() if name else "unknown"
