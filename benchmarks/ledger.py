"""The served ledger under load, against what the same disk does for bare SQLite in the same run.

    python -m benchmarks.ledger [--blobs 100000] [--quick]

A server (`rootline ledger serve`) runs in a process of its own; the one client asks it over
loopback. `commits` are durable transactions of one row of 4 KB each in a bare SQLite file beside
the ledger (write-ahead log, full synchronisation), measured before and after each piece of work.
The second table is of one process: the same calls to a ledger of many blobs and to a new one, in
turns, the median of their processor seconds, so that other programs' work does not count.
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
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.measuring import ROOT, SCRATCH, in_turns, show
from pipelines.flow.workspace import Workspace
from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode
from storage.celestia.client.options import TxOptions
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.node import ServedLedger
from storage.celestia.serving.tokens import Role, Tokens, token_file
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

    def blob(self) -> Blob:
        """Return a blob of 300 bytes that was not posted before."""
        self.posted += 1
        return Blob(SPACE, self.posted.to_bytes(8, "big") + bytes(292))

    async def post(self, each: int = 1) -> None:
        """Post a submission of so many blobs."""
        blobs = [self.blob() for _ in range(each)]
        await self.node.ask(calls.blob_submit(blobs, TxOptions()))

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


@dataclass(frozen=True, slots=True)
class Aged:
    """A ledger in this process, as the server uses it, and blobs that stand in it alone."""

    ledger: EmbeddedLedger
    node: ServedLedger
    alone: list[tuple[Blob, int]] = field(default_factory=list)

    def post(self, blob: Blob) -> None:
        """Post one blob that is new."""
        self.alone.append((blob, self.ledger.submit([blob])))


def size(total: int, folder: Path) -> list[Sequence[object]]:
    """Return rows of the second table: calls to a ledger of `total` blobs, and to one of 1,000."""
    numbers, turns = count(), count()

    def new() -> Blob:
        return Blob(SPACE, next(numbers).to_bytes(8, "big") + bytes(292))

    def one(aged: Aged) -> tuple[Blob, int]:
        return aged.alone[next(turns) * 7919 % len(aged.alone)]

    def again(aged: Aged) -> None:
        blob, height = one(aged)
        assert aged.ledger.submit([blob]) == height
        aged.node.blob(height, SPACE, share_commitment(blob))

    works: dict[str, Callable[[Aged], object]] = {
        "submit": lambda aged: aged.post(new()),
        "head": lambda aged: aged.node.head(),
        "GetAll": lambda aged: aged.node.all_blobs(one(aged)[1], (SPACE,)),
        "submit again, Get": again,
    }
    with ExitStack() as stack:
        ledgers = [Workspace.create(folder / name).embedded for name in ("few", "many")]
        few, many = (Aged(each, ServedLedger(each, Tokens.draw())) for each in ledgers)
        for aged in (few, many):
            stack.enter_context(aged.ledger.kept_open())
            for _ in range(WINDOW // 2):
                aged.post(new())
        for _ in range((total - WINDOW) // MANY):
            many.ledger.submit([new() for _ in range(MANY)])
        for _ in range(WINDOW // 2):
            many.post(new())
        rows: list[Sequence[object]] = []
        for name, work in works.items():
            seconds = in_turns(WINDOW, *(partial(_taken, work, each) for each in (few, many)))
            rows.append((name, *(1 / each for each in seconds), seconds[0] / seconds[1]))
        return rows


def _taken(work: Callable[[Aged], object], aged: Aged) -> float:
    began = time.process_time()
    work(aged)
    return time.process_time() - began


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def _over_rpc(share: int) -> None:
    with served() as bench:
        async with bench.node:
            show(
                "Submissions over JSON-RPC; 'commits' are bare SQLite's, in turns",
                ("work", "submissions/s", "blobs/s", "commits/s", "ratio", "per CPU-s", "blobs"),
                await rates(bench, share),
            )


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blobs", type=int, default=100_000, help="0: no series")
    parser.add_argument("--quick", action="store_true", help="a fifth of the first table's work")
    chosen = parser.parse_args()
    asyncio.run(_over_rpc(5 if chosen.quick else 1))
    if chosen.blobs:
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            show(
                f"A ledger of {chosen.blobs:,} blobs and a new one, in turns: per CPU-second",
                ("call", "few blobs", "many blobs", "many/few"),
                size(chosen.blobs, Path(folder)),
            )


if __name__ == "__main__":
    main()
