"""Whole commits against peers, the hardware's limit, and each other; `--quick` for a small run.

Every ratio is of figures from one run on one machine, in turns where a peer is measured. What is
compared, and how, is said in benchmarks/README.md.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.making import hundred_files, rows_file, small_files, text_file
from benchmarks.measuring import PEERS, SCRATCH, best, in_turns, once, show, timed, warm
from provenance.field import FieldElement
from provenance.poseidon import backend, from_words, poseidon_many
from provenance.tree import verify_inclusion
from storage.nodes import NodeFile

SIGN: Final = """
import sys, time
from pathlib import Path
from model_signing import hashing
start = time.perf_counter()
hashing.Config().hash(Path(sys.argv[1]))
print(time.perf_counter() - start)
"""
ADD: Final = """
import sys, time
from dvc.repo import Repo
repo = Repo.init(sys.argv[1], no_scm=True)
start = time.perf_counter()
repo.add(sys.argv[2])
print(time.perf_counter() - start)
"""


def poseidon_seconds() -> float:
    """Return the processor seconds of one hash of two elements, the best of several runs."""
    inputs = np.random.default_rng(3).integers(0, 2**60, (40_000, 2, 4), dtype=np.uint64)
    poseidon_many(inputs)
    seconds = []
    for _ in range(7):
        start = time.thread_time()
        poseidon_many(inputs)
        seconds.append(time.thread_time() - start)
    return min(seconds) / len(inputs)


def rows(counts: list[int]) -> None:
    """Commit to rows, one core and two, and tell the slope and what is not Poseidon."""
    hash_seconds, table = poseidon_seconds(), []
    for count in counts:
        path = rows_file(count)
        warm(path)
        one, two = best("commit", path, cores=1), best("commit", path, cores=2)
        beside = one.cpu / count - hash_seconds
        table.append(
            (
                f"{count:,}",
                one.wall,
                f"{count / one.wall:,.0f}",
                two.wall,
                one.wall / two.wall,
                beside * 1e6,
                max(one.peak, two.peak),
            )
        )
    title = f"Rows of 106 B, Parquet -> root and node file; Poseidon ({backend()}) alone: "
    columns = ("records", "s, 1 core", "records/s", "s, 2 cores", "speed-up", "µs outside", "MB")
    show(f"{title}{hash_seconds * 1e6:.2f} µs", columns, table)


def texts(size: int) -> None:
    """Commit to long texts, against signing the same bytes and against merely decoding them."""
    table = []
    for suffix in ("arrow", "parquet", "jsonl"):
        path = text_file(size, suffix)
        warm(path)
        works = [partial(wall, "commit", path), partial(wall, "read", path)]
        if PEERS.exists():
            works.append(partial(timed, PEERS, SIGN, path))
        ours, decoding, *signing = in_turns(3, *works)
        ratio = f"{ours / signing[0]:.2f}" if signing else "not installed"
        table.append((suffix, ours, decoding, ours / decoding, ratio))
    columns = ("format", "commit, s", "decode, s", "÷ decoding", "÷ model-signing")
    show(f"{size / 2**30:.2g} GiB of text, 4 KiB a record, two cores", columns, table)


def files() -> None:
    """Commit to many small files, against signing and against DVC."""
    path = small_files()
    warm(path)
    works = [partial(wall, "files", path), partial(dvc_add, path)]
    if PEERS.exists():
        works.append(partial(timed, PEERS, SIGN, path))
    ours, dvc, *signing = in_turns(3, *works)
    ratio = f"{ours / signing[0]:.2f}" if signing else "not installed"
    row = (ours, dvc, ours / dvc, ratio)
    show("20,000 small files", ("commit, s", "DVC add, s", "÷ DVC", "÷ model-signing"), [row])


def wall(job: str, path: Path) -> float:
    """Return the seconds of one job."""
    return once(job, path).wall


def dvc_add(path: Path) -> float:
    """Return the seconds that DVC takes to add a copy of a folder to a new repository."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        place = Path(folder, "files")
        shutil.copytree(path, place)
        return timed(Path(sys.executable), ADD, folder, place)


def again() -> None:
    """Commit to a version in which 1 % of the rows of one file in a hundred differ."""
    first, second = hundred_files(1), hundred_files(2)
    warm(first)
    warm(second)
    whole, part = best("commit", first), best("again", second, first)
    row = (whole.wall, part.wall, part.wall / whole.wall)
    show("A million rows in 100 files, then 100 rows changed", ("first, s", "again, s", "÷"), [row])


def index(count: int) -> None:
    """Commit with an exclusion index of whole records, and without."""
    path = rows_file(count)
    without, with_index = best("commit", path), best("index", path)
    row = (f"{count:,}", without.wall, with_index.wall, with_index.wall / without.wall)
    columns = ("records", "without, s", "with, s", "÷", "MB")
    show("With an exact/1 index", columns, [(*row, with_index.peak)])


def proofs(nodes: NodeFile) -> None:
    """Make and verify inclusion proofs of a node file's records."""
    places = [(chunk, chunk * 7 % nodes.chunks[chunk].count) for chunk in range(len(nodes.chunks))]
    start = time.perf_counter()
    made = [nodes.prove(*place) for place in places]
    making = (time.perf_counter() - start) / len(made)
    leaves = [from_words(nodes.leaves_of(c)[p : p + 1])[0] for c, p in places[:20]]
    start = time.perf_counter()
    for leaf, proof in zip(leaves, made, strict=False):
        verify_inclusion(leaf, proof, nodes.root, len(nodes.chunks))
    checking = (time.perf_counter() - start) / len(leaves)
    show("Inclusion proofs", ("made, ms", "verified, ms"), [(making * 1e3, checking * 1e3)])


def proved(count: int) -> None:
    """Commit once more, and keep the node file for `proofs`."""
    from benchmarks.work import commit_path
    from pipelines.flow.workspace import Workspace

    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        space = Workspace.create(Path(folder, ".rootline"))
        made = commit_path(space, rows_file(count))
        proofs(NodeFile.find(space.home.nodes, FieldElement.parse(str(made["root"]))))


def main() -> None:
    """Print all tables; `--quick` makes each a tenth or less."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--only", choices=("rows", "texts", "files", "again", "index", "proofs"))
    options = asked.parse_args()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    scale = 10 if options.quick else 1
    tables: dict[str, Callable[[], None]] = {
        "rows": lambda: rows([10**5, 10**6] if options.quick else [10**5, 10**6, 10**7]),
        "texts": lambda: texts(2**30 // scale),
        "files": files,
        "again": again,
        "index": lambda: index(10**6 // scale),
        "proofs": lambda: proved(10**6 // scale),
    }
    for name, print_table in tables.items():
        if options.only in (None, name):
            print_table()


if __name__ == "__main__":
    main()
