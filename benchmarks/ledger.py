"""The served ledger under load, against what the same disk does for bare SQLite in the same run.

    python -m benchmarks.ledger [--blobs 100000] [--quick]

A server (`rootline ledger serve`) runs in a process of its own; the one client asks it over
loopback. `commits` are durable transactions of one row of 4 KB each in a bare SQLite file beside
the ledger (write-ahead log, full synchronisation), measured before and after each piece of work.
The series posts 1,000 blobs one by one, 32 under way at once, at the beginning and at the end, and
by 100 in between; the two are compared in the server's processor seconds, so that other programs'
work does not count.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.measuring import ROOT, SCRATCH, show
from pipelines.flow.workspace import Workspace
from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode
from storage.celestia.client.options import TxOptions
from storage.celestia.serving.tokens import Role, token_file
from storage.celestia.share import Blob, share_commitment

SPACE: Final = bytes(19) + b"benchmarks"
WINDOW: Final = 1000
AT_ONCE: Final = 32
MANY: Final = 100
COMMITS: Final = 200
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a piece of work took: seconds, and the server's processor seconds."""

    wall: float
    cpu: float


@dataclass(slots=True)
class Bench:
    """A running server, a client, and a bare file to compare with."""

    node: AsyncNode
    process: int
    bare: Path
    posted: int = 0
    alone: list[tuple[Blob, int]] = field(default_factory=list)

    def blob(self) -> Blob:
        """Return a blob of 300 bytes that was not posted before."""
        self.posted += 1
        return Blob(SPACE, self.posted.to_bytes(8, "big") + bytes(292))

    async def post(self, each: int = 1) -> None:
        """Post a submission of so many blobs."""
        blobs = [self.blob() for _ in range(each)]
        height = await self.node.ask(calls.blob_submit(blobs, TxOptions()))
        if each == 1:
            self.alone.append((blobs[0], height))

    async def spent(self, work: Callable[[], Awaitable[None]], times: int, at_once: int) -> Spent:
        """Return what it takes to do `work` so many times, several at once."""
        left = iter(range(times))

        async def run() -> None:
            for _ in left:
                await work()

        wall, cpu = time.perf_counter(), _processor_seconds(self.process)
        await asyncio.gather(*(run() for _ in range(at_once)))
        return Spent(time.perf_counter() - wall, _processor_seconds(self.process) - cpu)

    def commits(self) -> float:
        """Return durable transactions a second of a bare file."""
        with closing(sqlite3.connect(self.bare, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, data BLOB)")
            began = time.perf_counter()
            for _ in range(COMMITS):
                database.execute("INSERT INTO row (data) VALUES (?)", (os.urandom(4096),))
            return COMMITS / (time.perf_counter() - began)


@contextmanager
def served() -> Iterator[Bench]:
    """Give a server over a new home, on a disk and not in memory."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    home = Workspace.create(folder / "home").home
    command = [sys.executable, "-m", "pipelines.cli", "ledger", "serve", "--port", "0", "--json"]
    environ = {**os.environ, "ROOTLINE_HOME": str(home.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ) as run:  # noqa: S603  # our own program
        try:
            assert run.stdout is not None
            said = json.loads("".join(iter(run.stdout.readline, "}\n")) + "}")
            token = token_file(home.keys, Role.ADMIN).read_text().strip()
            yield Bench(AsyncNode(said["url"], token), run.pid, folder / "bare.sqlite")
        finally:
            run.terminate()
            run.wait()
            shutil.rmtree(folder)


async def rates(bench: Bench, share: int) -> list[Sequence[object]]:
    """Return rows of the first table: what the server does against bare commits."""
    rows: list[Sequence[object]] = []
    for name, each, times, at_once in (
        ("one blob, one after the other", 1, 300, 1),
        (f"one blob, {AT_ONCE} at once", 1, 2000, AT_ONCE),
        ("100 blobs, one after the other", 100, 40, 1),
        ("100 blobs, 4 at once", 100, 40, 4),
    ):
        before = bench.commits()
        spent = await bench.spent(lambda each=each: bench.post(each), times // share, at_once)  # type: ignore[misc]
        bare = (before + bench.commits()) / 2
        done = times // share
        submissions, cpu = done / spent.wall, done / spent.cpu
        rows.append(
            (name, submissions, submissions * each, bare, submissions / bare, cpu, cpu * each)
        )
    return rows


async def series(bench: Bench, total: int) -> list[Sequence[object]]:
    """Return rows of the second table: the first 1,000 of a long series against the last."""
    await bench.spent(bench.post, WINDOW, AT_ONCE)
    first, early = await bench.spent(bench.post, WINDOW, AT_ONCE), await _reads(bench)
    rest = max(0, total - bench.posted - WINDOW) // MANY
    await bench.spent(lambda: bench.post(MANY), rest, 4)
    last, late = await bench.spent(bench.post, WINDOW, AT_ONCE), await _reads(bench)
    rows: list[Sequence[object]] = []
    for name, one, other in (
        ("submit", first, last),
        *((name, early[name], late[name]) for name in early),
    ):
        at_first, at_last = WINDOW / one.cpu, WINDOW / other.cpu
        rows.append((name, at_first, at_last, at_last / at_first, one.wall / other.wall))
    return rows


async def _reads(bench: Bench) -> dict[str, Spent]:
    """Return what reading takes, of blocks that hold one blob, the oldest and newest alike."""
    turn = iter(range(10**9))

    def any_one() -> tuple[Blob, int]:
        return bench.alone[next(turn) * 7919 % len(bench.alone)]

    async def head() -> None:
        await bench.node.ask(calls.header_local_head())

    async def every() -> None:
        await bench.node.ask(calls.blob_get_all(any_one()[1], [SPACE]))

    async def one() -> None:
        blob, height = any_one()
        assert await bench.node.ask(calls.blob_submit([blob], TxOptions())) == height
        await bench.node.ask(calls.blob_get(height, SPACE, share_commitment(blob)))

    works = {"head": head, "GetAll": every, "submit again, Get": one}
    return {name: await bench.spent(work, WINDOW, 8) for name, work in works.items()}


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def _run(blobs: int, *, quick: bool) -> None:
    with served() as bench:
        async with bench.node:
            show(
                "Submissions over JSON-RPC; 'commits' are bare SQLite's, in turns",
                ("work", "submissions/s", "blobs/s", "commits/s", "ratio", "per CPU-s", "blobs"),
                await rates(bench, 5 if quick else 1),
            )
            if not blobs:
                return
            show(
                f"A ledger of {blobs:,} blobs: calls per CPU-second of the server",
                ("call", f"first {WINDOW}", f"last {WINDOW}", "last/first", "last/first, wall"),
                await series(bench, blobs),
            )


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blobs", type=int, default=100_000, help="0: no series")
    parser.add_argument("--quick", action="store_true", help="a fifth of the first table's work")
    chosen = parser.parse_args()
    asyncio.run(_run(chosen.blobs, quick=chosen.quick))


if __name__ == "__main__":
    main()
