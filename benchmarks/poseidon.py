"""Hashes of two inputs a second: each machine, pure Python, two peers, and the processor's limit.

Rates are of processor time. All are measured in turns, a short run each, so that all see the same
machine; the best of each counts, and a ratio is the median of those within one turn.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import PEERS
from benchmarks.poseidon_limit import COUNTED, limit
from provenance.errors import UnavailableError
from provenance.field import ORDER
from provenance.poseidon import from_words, plain, poseidon, to_words
from provenance.poseidon.kernels import Kernel

TURNS: Final = 15
ROWS: Final = {"ifma": 8000, "fma": 3200, "scalar": 1600, "python": 64}
PEER: Final = """
import sys, time
from garaga.garaga_rs import poseidon_hash_bn254
from light_poseidon_python import poseidon_hash
works = {
    "garaga": lambda pairs: [poseidon_hash_bn254(a, b) for a, b in pairs],
    "light-poseidon-python": lambda pairs: [poseidon_hash([a, b]) for a, b in pairs],
}
pairs = [((i + 1) << 200, (i + 2) << 200) for i in range(800)]
print(poseidon_hash_bn254(1, 2), flush=True)
for name in sys.stdin:
    start = time.thread_time()
    works[name.strip()](pairs)
    print(len(pairs) / (time.thread_time() - start), flush=True)
"""
Rate = Callable[[], float]


def rate_of(work: Callable[[NDArray[np.uint64]], object], rows: NDArray[np.uint64]) -> Rate:
    """Return what measures the rows hashed a second of processor time."""

    def measure() -> float:
        start = time.thread_time()
        work(rows)
        return len(rows) / (time.thread_time() - start)

    work(rows)
    return measure


def machines(rows: NDArray[np.uint64]) -> Iterator[tuple[str, Rate]]:
    """Yield the machines that this processor can be, and pure Python."""
    for name in ("ifma", "fma", "scalar"):
        try:
            kernel = Kernel(name)
        except UnavailableError as error:
            print(error)
            continue
        expected = tuple(poseidon(*pair) for pair in pairs_of(rows[:8]))
        assert from_words(kernel.poseidon_rows(rows[:8])) == expected
        yield name, rate_of(kernel.poseidon_rows, rows[: ROWS[name]])
    yield "python", rate_of(plain.poseidon_rows, rows[: ROWS["python"]])


def pairs_of(rows: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """Return rows as pairs of integers."""
    elements = from_words(rows.reshape(-1, 4))
    return list(zip(elements[::2], elements[1::2], strict=True))


@contextmanager
def peers() -> Iterator[dict[str, Rate]]:
    """Yield what measures the peers, in an environment of their own, or nothing without it."""
    if not PEERS.exists():
        print("no peers: `make bench` puts them into an environment of their own")
        yield {}
        return
    command = [str(PEERS), "-c", PEER]
    with subprocess.Popen(  # noqa: S603  # our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        asked, answered = process.stdin, process.stdout
        assert asked
        assert answered
        assert int(answered.readline()) == poseidon(1, 2)

        def rate(name: str) -> float:
            print(name, file=asked)
            return float(answered.readline())

        names = ("garaga", "light-poseidon-python")
        yield {name: lambda name=name: rate(name) for name in names}  # type: ignore[misc]  # bound
        asked.close()


def two_cores(kernel: Kernel, rows: NDArray[np.uint64]) -> float:
    """Return how many times as much two threads do in the time of one; the median of turns."""
    ratios = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(TURNS):
            start = time.perf_counter()
            kernel.poseidon_rows(rows)
            middle = time.perf_counter()
            list(pool.map(kernel.poseidon_rows, [rows, rows]))
            ratios.append(2 * (middle - start) / (time.perf_counter() - middle))
    return median(ratios[1:])


def main() -> None:
    """Print a table, and the arithmetic of the limits."""
    source = np.random.default_rng(1)
    elements = [int.from_bytes(source.bytes(32), "big") % ORDER for _ in range(2 * ROWS["ifma"])]
    rows = to_words(elements).reshape(-1, 2, 4)
    measured = dict(machines(rows))
    with peers() as others:
        works = {**measured, **others}
        turns = [{name: work() for name, work in works.items()} for _ in range(TURNS)]
    best = {name: max(turn[name] for turn in turns) for name in works}
    fastest = next(iter(measured))
    print(f"{'hashes/s':>12} {fastest + ' is':>12}")
    for name, value in best.items():
        ratio = median(turn[fastest] / turn[name] for turn in turns)
        print(f"{value:12,.0f} {ratio:10.2f} x  {name}")
    for name in set(COUNTED) & set(measured):
        most = limit(name)
        print(f"{name}: {COUNTED[name].arithmetic}")
        print(f"{name}: at most {most:,.0f}/s here, of which {best[name] / most:.0%} is reached")
    ratio = two_cores(Kernel(fastest), rows)
    print(f"{fastest}: two threads do {ratio:.2f} times what one does in the same time")


if __name__ == "__main__":
    main()
