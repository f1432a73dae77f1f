"""Worlds are many and mostly alike: hash a state and read a document only once in a session."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import pytest

from provenance import canonical
from provenance.canonical import Json
from provenance.envelope import PublicKey
from provenance.poseidon import hashes, many, plain, sparse
from tests.provenance.world import UNFINISHED, World, build


@pytest.fixture(scope="session", autouse=True)
def _remembered() -> Iterator[None]:
    permutations = lru_cache(maxsize=2**17)(lambda state: tuple(sparse.permute(state)))
    documents = lru_cache(maxsize=2**12)(canonical.decode)
    signatures = lru_cache(maxsize=2**12)(PublicKey.verify)

    def permute(state: Sequence[int]) -> list[int]:
        return list(permutations(tuple(state)))

    def decode(data: bytes, *, limit: int = canonical.MAX_BYTES) -> dict[str, Json]:
        return dict(documents(data, limit=limit))  # readers copy what they take apart

    def verify(key: PublicKey, message: bytes, signature: bytes) -> None:
        signatures(key, message, signature)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "permute", permute)
        patch.setattr(many, "fastest", lambda: plain)  # no compiling for a few hundred hashes
        patch.setattr(canonical, "decode", decode)
        patch.setattr(PublicKey, "verify", verify)
        yield


@pytest.fixture(scope="session")
def honest() -> World:
    return build()


@pytest.fixture(scope="session")
def unfinished() -> World:
    return build(UNFINISHED)
