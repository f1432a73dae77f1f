"""Worlds are many and mostly alike: hash a state and read a document only once in a session."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import pytest

from provenance import attestation, canonical, history
from provenance.attestation import Attestation
from provenance.audit import datasets, memberships
from provenance.canonical import Json
from provenance.envelope import PublicKey
from provenance.poseidon import hashes, many, normalised, plain
from tests.provenance.world import UNFINISHED, World, build

_permutations = lru_cache(maxsize=2**17)(lambda state: tuple(normalised.permute(state)))
_documents = lru_cache(maxsize=2**12)(canonical.decode)
_signatures = lru_cache(maxsize=2**12)(PublicKey.verify)
_attested = lru_cache(maxsize=2**10)(attestation.verify)


def _permute(state: Sequence[int]) -> list[int]:
    return list(_permutations(tuple(state)))


def _decode(data: bytes, *, limit: int = canonical.MAX_BYTES) -> dict[str, Json]:
    return dict(_documents(data, limit=limit))  # readers copy what they take apart


def _attestation(data: bytes, trusted: Iterable[PublicKey]) -> Attestation:
    return _attested(data, tuple(trusted))  # an error is raised anew each time


def _verify(key: PublicKey, message: bytes, signature: bytes) -> None:
    _signatures(key, message, signature)


@pytest.fixture(scope="module", autouse=True)
def _remembered() -> Iterator[None]:
    """Patch for the modules of this folder only: what is remembered stays for the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "permute", _permute)
        patch.setattr(many, "fastest", lambda: plain)  # no compiling for a few hundred hashes
        patch.setattr(canonical, "decode", _decode)
        patch.setattr(PublicKey, "verify", _verify)
        for module in (datasets, history, memberships):
            patch.setattr(module, "verify", _attestation)
        yield


@pytest.fixture(scope="session")
def honest() -> World:
    return build()


@pytest.fixture(scope="session")
def unfinished() -> World:
    return build(UNFINISHED)
