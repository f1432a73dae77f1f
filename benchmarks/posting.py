"""How many attestations a second are posted to the embedded ledger, and what is left of that speed.

    .venv/bin/python -m benchmarks.posting            # 5,000 that wait; a log of 1,000 batches
    .venv/bin/python -m benchmarks.posting --quick

`publish` is timed whole: read what waits, make and sign batches, write them down, submit, look at
the block, fetch receipts and verify them. Beside it stands the least that any such program does:
the same bytes in as many SQLite transactions, each flushed to the disk, with an ed25519 signature
for each header and each block, and one verified for each receipt. Processor seconds are of this
process, all threads; the clock shows the disk, too.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pyarrow as pa

from benchmarks.measuring import SCRATCH, show
from pipelines.flow.publishing import log_id, outbox, publish
from pipelines.flow.queueing import signing
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance.attestation import attest
from provenance.dataset import DatasetCommitment
from storage.outbox import Entry
from storage.readers.datasets import from_stream

GOAL: Final = 2000
"""Attestations a second."""
SHOWN: Final = (1, 100, 1000)
THREE: Final = from_stream(pa.table({"a": [1, 2, 3]}), name="three rows")
Seconds = tuple[float, float]


def clocked(work: Callable[[], object]) -> Seconds:
    """Return the seconds and processor seconds that `work` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def fill(space: Workspace, total: int, prefix: str) -> int:
    """Let so many attestations of dataset versions wait, and return the bytes of one."""
    made = register(space, THREE, Request(prefix, "v1")).commitment
    envelope = b""
    with signing(space) as add:
        for number in range(total - 1):
            envelope = attest(replace(made, name=f"{prefix}-{number}"), space.issuer).encoded
            add(envelope)
    return len(envelope)


def least(space: Workspace, folder: Path, entries: list[Entry]) -> None:
    """Write the same bytes in as many transactions, with as many signatures."""
    signer = space.issuer
    with closing(sqlite3.connect(folder / "least.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE blob (data BLOB)")
        for entry in entries:
            signatures = [signer.sign(entry.header), signer.sign(entry.header[:100])]
            signer.public_key.verify(entry.header, signatures[0])
            database.execute("BEGIN")
            rows = [(each,) for each in (entry.header, entry.entries, *signatures)]
            database.executemany("INSERT INTO blob VALUES (?)", rows)
            database.execute("COMMIT")


def posting(total: int) -> None:
    """Post `total` that wait, and print how fast, beside the least that it takes."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        space = Workspace.create(Path(folder, "home"))
        size = fill(space, total, "rows")
        took = clocked(lambda: publish(Workspace.create(Path(folder, "home"))))
        entries = list(outbox(space).batches(log_id(space)))
        bare = clocked(lambda: least(space, Path(folder), entries))
    columns = ("", "s", "CPU-s", "a second", "a CPU-second")
    rows: list[tuple[object, ...]] = [
        (name, *seconds, round(total / seconds[0]), round(total / seconds[1]))
        for name, seconds in (("publish", took), ("SQLite and signatures alone", bare))
    ]
    rows.append(("ratio", took[0] / bare[0], took[1] / bare[1], "", ""))
    title = (
        f"{total} attestations of {size} bytes, {len(entries) - 1} batches; goal {GOAL} a second"
    )
    show(title, columns, rows)


def growing(batches: int) -> None:
    """Print what the next publish of one attestation takes while a log grows to so many batches."""
    rows: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        space = Workspace.create(Path(folder, "home"))
        made = register(space, THREE, Request("first", "v1")).commitment
        publish(space)
        names = (replace(made, name=f"first-{number}") for number in count())
        for posted in range(1, batches + 1):
            taken = [post_one(space, next(names)) for _ in range(5 if posted in SHOWN else 1)]
            if posted in SHOWN:
                rows.append((posted, *(1e3 * min(each) for each in zip(*taken, strict=True))))
    show("Publish one attestation to a log of so many batches", ("batches", "ms", "CPU-ms"), rows)


def post_one(space: Workspace, commitment: DatasetCommitment) -> Seconds:
    """Return the seconds and processor seconds of posting one attestation."""
    with signing(space) as add:
        add(attest(commitment, space.issuer).encoded)
    return clocked(lambda: publish(Workspace.create(space.home.path)))


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    options = asked.parse_args()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    posting(500 if options.quick else 5000)
    growing(100 if options.quick else 1000)


if __name__ == "__main__":
    main()
