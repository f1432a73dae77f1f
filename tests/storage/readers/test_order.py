"""Order natural/1, as docs/spec/order.md words it."""

import json
from functools import cmp_to_key
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.readers.order import natural_key

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/record.json").read_text())


@pytest.mark.parametrize("case", VECTORS["orders"], ids=lambda case: case["name"])
def test_paths_sort_as_the_vectors_say(case: dict[str, list[str]]) -> None:
    assert sorted(sorted(case["paths"], reverse=True), key=natural_key) == case["paths"]


def compare(one: str, other: str) -> int:
    """Compare two paths byte by byte as the page words it: slow and obvious."""
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if found := compare_components(left.encode(), right.encode()):
            return found
    if one.count("/") != other.count("/"):
        return one.count("/") - other.count("/")
    return (one.encode() > other.encode()) - (one.encode() < other.encode())


def run(text: bytes) -> bytes:
    return text[: len(text) - len(text.lstrip(b"0123456789"))]


def compare_components(one: bytes, other: bytes) -> int:
    while one and other:
        left, right = run(one), run(other)
        if left and right:
            if int(left) != int(right):
                return int(left) - int(right)
            one, other = one[len(left) :], other[len(right) :]
        elif one[0] != other[0]:
            return one[0] - other[0]
        else:
            one, other = one[1:], other[1:]
    return len(one) - len(other)


PATHS = st.lists(st.text("01279a-./é", min_size=1, max_size=8), min_size=2, max_size=6)


@settings(deadline=None, max_examples=300)
@given(PATHS)
def test_the_key_sorts_as_a_slow_comparison_does(paths: list[str]) -> None:
    assert sorted(paths, key=natural_key) == sorted(paths, key=cmp_to_key(compare))


@settings(deadline=None)
@given(PATHS)
def test_the_order_is_total(paths: list[str]) -> None:
    assert len({natural_key(path) for path in paths}) == len(set(paths))


def test_a_run_of_any_length_is_compared_by_value() -> None:
    assert natural_key("9" * 10_000) < natural_key("1" + "0" * 10_000)
