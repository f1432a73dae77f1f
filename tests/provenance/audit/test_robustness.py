"""Whatever stands in a member, the audit ends with a verdict and never with an accident."""

import json
import random
from itertools import islice
from typing import Final

import pytest

from provenance import canonical
from provenance.errors import MalformedError
from tests.provenance.documents import spoiled
from tests.provenance.world import World

SEED: Final = 20261124
FOLDERS: Final = (
    "blocks.json",
    "checkpoints",
    "differences",
    "exclusions",
    "openings",
    "paths",
    "proofs",
    "receipts",
    "steps",
    "tables",
)
EACH: Final = 8


def spoil(world: World, folder: str, count: int) -> None:
    """Audit the world with members of a folder changed, each under the name it then must have."""
    chance = random.Random(SEED)  # noqa: S311  # a sample that repeats, not a secret
    names = sorted(path for path in world.members if path.startswith(folder))
    for name in names:
        found = list(islice(spoiled(json.loads(world.members[name])), 20_000))
        for value in chance.sample(found, min(count, len(found))):
            data = canonical.encode(value)
            told = name
            if folder in ("checkpoints", "differences", "exclusions", "openings", "proofs"):
                told = f"{folder}/{canonical.digest(data).hex()}.json"
            members = {path: body for path, body in world.members.items() if path != name}
            try:
                world.audit(members={**members, told: data})
            except MalformedError as error:
                raise AssertionError(f"a bundle that can be read has a verdict: {error}") from error


@pytest.fixture(scope="module")
def world(honest: World) -> World:
    """Return the honest world with a path beside an entry."""
    copy = World(honest.changes, honest.samples, honest.ledger, dict(honest.members))
    copy.batches, copy.policy, copy.made = honest.batches, honest.policy, honest.made
    name = canonical.digest(next(d for p, d in copy.members.items() if "attest" in p)).hex()
    copy.add_path(name, sequence=1, index=0, siblings=(canonical.digest(b""),), full=True)
    return copy


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_value_anywhere_makes_the_audit_stumble(world: World, folder: str) -> None:
    spoil(world, folder, EACH)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_no_value_anywhere_at_all_makes_the_audit_stumble(world: World, folder: str) -> None:
    spoil(world, folder, 1000)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000])
def test_members_that_are_no_documents_make_a_verdict(honest: World, data: bytes) -> None:
    for path in honest.members:
        honest.audit(members={**honest.members, path: data})
