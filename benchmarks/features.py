"""Leaves with features, records a second of processor time on one thread, and what hashing takes.

Three things are measured in turns, on batches as a table gives them: leaves of kind `plain`, leaves
of kind `features`, and, on as many rows of noise, only the two hashes that a feature leaf adds: the
sponge over its elements, and the leaf. What is left is digits, packing and salts. The limit is the
time in which the processor would do nothing but the operations of these hashes (poseidon_limit.py).
"""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.measuring import show
from benchmarks.poseidon_limit import COUNTED, limit
from provenance.batch import Batch
from provenance.features import DIGITS, FeatureField, FeatureSpec
from provenance.leaf import DatasetKey
from provenance.leaves import LeafMaker
from provenance.poseidon import backend, ezkl_sponge_many, poseidon_many
from provenance.poseidon.parameters import FULL_ROUNDS, parameters
from storage.readers.datasets import from_stream

RECORDS: Final = 2**16
TURNS: Final = 5
KEY: Final = DatasetKey(bytes(range(32)))
Work = Callable[[], object]


def table(features: int) -> pa.Table:
    """Return records of so many floats, a label, and an identifier that is text."""
    source = np.random.default_rng(features)
    columns: dict[str, Any] = {
        f"f{at:02}": pa.array(source.uniform(0, 60, RECORDS)) for at in range(features)
    }
    columns["benign"] = pa.array(source.integers(0, 2, RECORDS).astype(bool))
    columns["id"] = pa.array([f"patient {number}" for number in range(RECORDS)])
    return pa.table(columns)


def spec(features: int) -> FeatureSpec:
    """Return the spec of such a table: all floats at 7 bits, then the label."""
    fields = tuple(FeatureField(f"f{at:02}", 7) for at in range(features))
    return FeatureSpec(fields, FeatureField("benign", 0))


def leaves(maker: LeafMaker, batches: Sequence[Batch]) -> Work:
    """Return what makes the leaves of all batches."""
    return lambda: [maker.leaves(batch) for batch in batches]


def hashes(elements: int, batches: Sequence[Batch]) -> Work:
    """Return what does the hashing that features add, on noise."""
    source = np.random.default_rng(0)
    noise = source.integers(0, 2**60, (RECORDS, elements, 4), dtype=np.uint64)
    threes = source.integers(0, 2**60, (RECORDS, 3, 4), dtype=np.uint64)
    ends = np.cumsum([len(batch) for batch in batches])[:-1]
    pieces = list(zip(np.split(noise, ends), np.split(threes, ends), strict=True))
    return lambda: [(ezkl_sponge_many(one), poseidon_many(two)) for one, two in pieces]


def seconds(works: Sequence[Work]) -> list[float]:
    """Return the median processor seconds a record of pieces of work that are done in turns."""
    for work in works:
        work()
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(TURNS):
        for each, work in zip(taken, works, strict=True):
            start = time.thread_time()
            work()
            each.append((time.thread_time() - start) / RECORDS)
    return [median(each) for each in taken]


def operations(machine: str, width: int, outputs: int) -> int:
    """Return the operations of a permutation of which so many elements are needed afterwards."""
    counted, partial = COUNTED[machine], parameters(width).partial_rounds
    fifths = FULL_ROUNDS * width + partial
    sums = (FULL_ROUNDS - 2) * width + (partial + 1) + (width - 1) + outputs
    products = (
        (FULL_ROUNDS - 2) * width * (width - 1)
        + (partial + 1) * 2 * (width - 1)
        + (width - 1) * (2 * width - 3)
        + width * outputs
    )
    fifth = 2 * counted.square + counted.product + 3 * counted.reduction
    return fifths * fifth + products * counted.product + sums * counted.reduction


def least(elements: int) -> float:
    """Return the seconds of a sponge over elements and of a leaf at the processor's limit, or 0."""
    machine = backend()
    if machine not in COUNTED:
        return 0.0
    assert operations(machine, 3, 1) == COUNTED[machine].operations
    sponge = (elements - 1) * operations(machine, 2, 2) + operations(machine, 2, 1)
    done = sponge + operations(machine, 4, 1)
    return done / COUNTED[machine].operations / limit(machine)


def row(features: int) -> tuple[object, ...]:
    """Return what a table of so many features takes."""
    source = from_stream(table(features))
    batches = list(source.batches())
    elements = -(-(features + 1) // DIGITS) + 1
    with_features = LeafMaker(source.schema, KEY, spec(features))
    plain, whole, hashing = seconds(
        [
            leaves(LeafMaker(source.schema, KEY), batches),
            leaves(with_features, batches),
            hashes(elements, batches),
        ]
    )
    beside = whole - plain - hashing
    bound = least(elements)
    micro = [value * 1e6 for value in (whole, plain, hashing, beside, bound)]
    shares = [f"{hashing / whole:.0%}", f"{bound / hashing:.0%}"]
    return (f"{features} + label", elements, f"{1 / whole:,.0f}", *micro, *shares)


def main() -> None:
    """Print a table."""
    columns = (
        *("features", "elements", "records/s", "µs", "plain", "hashes", "rest", "limit"),
        *("hashes ÷ µs", "limit ÷ hashes"),
    )
    show(f"Leaves with features, Poseidon on {backend()}", columns, [row(4), row(30)])


if __name__ == "__main__":
    main()
