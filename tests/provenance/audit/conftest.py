"""Worlds are many and mostly alike: hash the same state only once in a session."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import pytest

from provenance.poseidon import reference
from tests.provenance.world import UNFINISHED, World, build


@pytest.fixture(scope="session", autouse=True)
def _remembered_permutations() -> Iterator[None]:
    original = reference.permute
    remembered = lru_cache(maxsize=2**17)(lambda state: tuple(original(state)))

    def permute(state: Sequence[int]) -> list[int]:
        return list(remembered(tuple(state)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "permute", permute)
        yield


@pytest.fixture(scope="session")
def honest() -> World:
    return build()


@pytest.fixture(scope="session")
def unfinished() -> World:
    return build(UNFINISHED)
