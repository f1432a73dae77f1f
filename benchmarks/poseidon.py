"""Poseidon of width 3: the compiled kernel against the plain text, in one run, as a ratio.

Run by `make bench`. Nothing is asserted about seconds: machines differ, ratios hardly do.
"""

import time
from collections.abc import Callable

import numpy as np

from provenance.poseidon import poseidon, poseidon_many


def rate(work: Callable[[], object], count: int) -> float:
    """Return how many of `count` units a second `work` does, at best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return count / best


def main() -> None:
    """Print both rates and their ratio."""
    rng = np.random.default_rng(1)
    pairs = rng.integers(0, 2**60, (20_000, 2, 4), dtype=np.uint64)
    poseidon_many(pairs)
    plain = rate(lambda: [poseidon(n, n + 1) for n in range(500)], 500)
    many = rate(lambda: poseidon_many(pairs), len(pairs))
    print(f"plain text       {plain:12,.0f} hashes/s")
    print(f"poseidon_many    {many:12,.0f} hashes/s   {many / plain:.1f} times the plain text")


if __name__ == "__main__":
    main()
