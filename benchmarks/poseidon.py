"""Hashes of two inputs a second on one core, and how many times pure Python that is.

Compares the compiled kernel, pure Python, the plain definition and, where it is installed, ezkl.
CPU time, the best of several runs.
"""

import importlib.util
import time
from collections.abc import Callable, Sequence

import numpy as np

from provenance.field import ORDER
from provenance.poseidon import ezkl_sponge, from_words, plain, poseidon, reference, to_words
from provenance.poseidon.many import fastest

RUNS = 7


def rate(work: Callable[[], object], hashes: int) -> float:
    """Return hashes a second, the best of `RUNS` after one that is not counted."""
    work()
    seconds = []
    for _ in range(RUNS):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return hashes / min(seconds)


def ezkl_hashes(pairs: Sequence[tuple[int, int]]) -> Callable[[], object]:
    """Return the work of hashing pairs by ezkl, as its sponge: two permutations of width 2 each."""
    poseidon_hash = importlib.import_module("ezkl").poseidon_hash
    written = [[element.to_bytes(32, "little").hex() for element in pair] for pair in pairs]
    assert int.from_bytes(bytes.fromhex(poseidon_hash(written[0])[0]), "little") == (
        ezkl_sponge(pairs[0])
    )
    return lambda: [poseidon_hash(pair) for pair in written]


def main() -> None:
    """Print a table."""
    source = np.random.default_rng(1)
    elements = [int.from_bytes(source.bytes(32), "big") % ORDER for _ in range(2000)]
    rows = to_words(elements).reshape(-1, 2, 4)
    pairs = list(zip(elements[::2], elements[1::2], strict=True))
    assert from_words(fastest().poseidon_rows(rows)) == tuple(poseidon(a, b) for a, b in pairs)
    rates = {
        "compiled kernel" if fastest() is not plain else "no numba": rate(
            lambda: fastest().poseidon_rows(rows), len(rows)
        ),
        "pure Python": rate(lambda: plain.poseidon_rows(rows[:200]), 200),
        "plain definition": rate(lambda: [reference.permute([0, *p]) for p in pairs[:200]], 200),
    }
    if importlib.util.find_spec("ezkl"):
        rates["ezkl, its sponge: two permutations"] = rate(ezkl_hashes(pairs[:200]), 200)
    for name, value in rates.items():
        print(f"{value:>10,.0f}/s {value / rates['pure Python']:7.2f} x  {name}")


if __name__ == "__main__":
    main()
