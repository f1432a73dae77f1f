"""How much memory and disk there is, before anything is allocated."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from provenance.errors import UnavailableError

MEMINFO: Final = Path("/proc/meminfo")
GROUP: Final = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Return the bytes of memory that can be had, by this machine and this container, if known."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = MEMINFO.read_text().partition("MemAvailable:")[2]
        found.append(int(text.split()[0]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        most, used = (int((GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        found.append(most - used)
    return min(found, default=None)


def require_memory(needed: int, limit: int, what: str) -> None:
    """Refuse what will not fit.

    Args:
        needed: Bytes at the peak.
        limit: Bytes that the process may use at most.
        what: Named in the error.

    Raises:
        UnavailableError: There is too little memory, or the limit is too low.
    """
    if needed > limit:
        raise UnavailableError(
            f"{what} needs about {_mb(needed)} MB of memory, the limit is {_mb(limit)}; raise it"
        )
    free = free_memory()
    if free is not None and needed > free:
        raise UnavailableError(
            f"{what} needs about {_mb(needed)} MB of memory, {_mb(free)} are free; end other work"
        )


def require_disk(needed: int, folder: Path, what: str) -> None:
    """Refuse what will not fit on the disk of an existing folder, or raise UnavailableError."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UnavailableError(
            f"{what} needs about {_mb(needed)} MB in {folder}, {_mb(free)} are free; make room"
        )


def _mb(size: int) -> int:
    return round(size / 1e6)
