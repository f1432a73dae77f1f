"""What the benchmarks share: work in a process of its own, what it took, peers, tables.

A measured process first does the same work on a small sample, so that imports, loading and
compiling of kernels are not counted. Its memory is counted from there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

ROOT: Final = Path(__file__).parents[1]
PEERS: Final = ROOT / ".venv" / "peers" / "bin" / "python"
SCRATCH: Final = ROOT / ".venv" / "cache" / "bench"


@dataclass(frozen=True, slots=True)
class Took:
    """What a piece of work took: seconds, processor seconds, and memory at its peak, in MB."""

    wall: float
    cpu: float
    peak: float
    about: dict[str, object]


def once(job: str, *arguments: object, cores: int = 2) -> Took:
    """Return what a job of `benchmarks.work` took, in a process bound to so many cores."""
    command = [sys.executable, "-m", "benchmarks.work", job, *map(str, arguments)]
    done = subprocess.run(  # noqa: S603  # our own program
        command,
        cwd=ROOT,
        env={**os.environ, "BENCH_CORES": str(cores)},
        check=True,
        capture_output=True,
        text=True,
    )
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def best(job: str, *arguments: object, cores: int = 2, runs: int = 3) -> Took:
    """Return the quickest of several runs."""
    return min(
        (once(job, *arguments, cores=cores) for _ in range(runs)), key=lambda took: took.wall
    )


def in_turns(runs: int, *works: Callable[[], float]) -> list[float]:
    """Return the median seconds of pieces of work done in turns, so that all see one machine."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for taken, work in zip(seconds, works, strict=True):
            taken.append(work())
    return [median(taken) for taken in seconds]


def timed(python: Path, script: str, *arguments: object) -> float:
    """Return the seconds that a script in another environment prints, of its work alone."""
    command = [str(python), "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # ours
    return float(done.stdout.splitlines()[-1])


def warm(path: Path) -> None:
    """Read a file or folder once, so that every program finds it in memory."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    for each in files:
        with suppress(OSError), each.open("rb") as file:
            while file.read(2**20):
                pass


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
    Console(width=110).print(table)
