"""Extended headers of real chains, and every way in which the four parts can disagree."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import MalformedError, ProvenanceError, RootMismatchError, VerificationError
from storage.celestia.answers import normalise_header
from storage.celestia.extended import ExtendedHeader
from storage.ledger import MemoryLedger

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
JSONS: list[Any] = [normalise_header(each) for each in DEVNET["headers"]]
HEADERS = [ExtendedHeader.from_json(each) for each in JSONS]


@pytest.mark.parametrize("index", range(21))
def test_recorded_headers_verify(index: int) -> None:
    HEADERS[index].verify()
    assert HEADERS[index].to_json() == JSONS[index]


ONE, NEXT = HEADERS[10], HEADERS[11]
FOREIGN = ExtendedHeader.from_json(MemoryLedger("foreign-1").header(1))
DISAGREEMENTS: dict[str, ExtendedHeader] = {
    "another block's roots": replace(ONE, availability=NEXT.availability),
    "another block's commit": replace(ONE, commit=NEXT.commit),
    "another block's header": replace(ONE, header=NEXT.header),
    "another validator set": replace(ONE, validators=FOREIGN.validators),
    "another chain's name": replace(ONE, header=replace(ONE.header, chain="mocha-4")),
    "a proposer who is no validator": replace(ONE, header=replace(ONE.header, proposer=bytes(20))),
    "a commit that names another height": replace(ONE, commit=replace(ONE.commit, height=1)),
}


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_parts_that_disagree_are_refused(name: str) -> None:
    with pytest.raises(VerificationError):
        DISAGREEMENTS[name].verify()


def renamed(found: ExtendedHeader, header: Any) -> ExtendedHeader:
    """Return `found` with another header whose hash the commit names, as a forger would."""
    named = replace(found.commit.block_id, hash=header.hash)
    return replace(found, header=header, commit=replace(found.commit, block_id=named))


def test_a_commit_for_another_height_is_refused_though_it_names_the_block() -> None:
    forged = renamed(ONE, replace(ONE.header, height=ONE.header.height + 1))
    with pytest.raises(VerificationError, match="carries a commit for"):
        forged.verify()


def test_a_proposer_who_is_no_validator_is_refused_though_the_hash_agrees() -> None:
    with pytest.raises(VerificationError, match="no validator"):
        renamed(ONE, replace(ONE.header, proposer=bytes(20))).verify()


def test_a_swapped_validator_set_is_refused_though_the_header_names_it() -> None:
    header = replace(
        ONE.header,
        validators=FOREIGN.validators.hash,
        proposer=FOREIGN.validators.validators[0].address,
    )
    with pytest.raises(ProvenanceError, match="must vote"):
        replace(renamed(ONE, header), validators=FOREIGN.validators).verify()


def test_a_swapped_validator_set_gives_another_root() -> None:
    with pytest.raises(RootMismatchError):
        replace(ONE, validators=FOREIGN.validators).verify()


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for name in value for found in leaves(value[name], (*path, name))]
    if isinstance(value, list):
        return [found for i, each in enumerate(value) for found in leaves(each, (*path, i))]
    return [path]


def mutated(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """Return a copy of `value` in which the member at `path` is changed, or dropped for None."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    new = change(inner[path[-1]])
    if new is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return copy


def bump(text: str) -> str:
    """Return the text with one character changed to its neighbour, mostly still well formed."""
    place = next((i for i in reversed(range(len(text))) if text[i] not in "Z="), None)
    if place is None:
        return "1"
    other = {"9": "8", "F": "E", "z": "y", "/": "A"}.get(text[place], chr(ord(text[place]) + 1))
    return text[:place] + other + text[place + 1 :]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "bumped": bump,
    "emptied": lambda _: "",
    "dropped": lambda _: None,
    "doubled": lambda text: text * 2 or "00",
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_member_can_be_changed(change: str) -> None:
    accepted = []
    for path in leaves(JSONS[10]):
        forged = mutated(JSONS[10], path, CHANGES[change])
        with suppress(ProvenanceError):
            ExtendedHeader.from_json(forged).verify()
            accepted.append(path)
    assert accepted == []


@pytest.mark.parametrize("name", ["header", "validator_set", "commit", "dah"])
def test_all_four_parts_are_needed(name: str) -> None:
    with pytest.raises(MalformedError, match=name):
        ExtendedHeader.from_json({k: v for k, v in JSONS[10].items() if k != name})


def test_a_fifth_part_is_refused() -> None:
    with pytest.raises(MalformedError, match="unknown member"):
        ExtendedHeader.from_json({**JSONS[10], "x": {}})
