from dataclasses import replace
from typing import Any

import pytest

from provenance.errors import MalformedError, UnavailableError
from provenance.exclusion_key import ExclusionKey, IndexSalt
from provenance.exclusion_proof import (
    MAX_KEYS,
    MAX_RECORDS,
    AbsenceProof,
    IndexEntry,
    Neighbour,
    PresenceProof,
    verify_absence,
)
from provenance.field import FieldElement

ENTRY = IndexEntry("text-nfkc-casefold/1", "author.name", (), FieldElement(9), 3, 1)
NEIGHBOUR = Neighbour(ExclusionKey(bytes(31)), IndexSalt(bytes(31)))
NODE = FieldElement(5).hex


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        replace(ENTRY, root=FieldElement(0), keys=0),
        replace(ENTRY, keys=MAX_KEYS, without=MAX_RECORDS),
        replace(ENTRY, normaliser="exact/1", field=""),
        replace(ENTRY, normaliser="domain/2", parameters=(("list", "2026-01"), ("mode", "x"))),
    ],
)
def test_an_entry_is_read_as_it_was_written(entry: IndexEntry) -> None:
    assert IndexEntry.from_json(entry.to_json()) == entry


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("normaliser", "exact/1"),
        ("normaliser", "Exact/1"),
        ("normaliser", "text"),
        ("normaliser", "text/0"),
        ("field", ""),
        ("field", "a..b"),
        ("field", 5),
        ("parameters", {"a": "b"}),
        ("parameters", None),
        ("root", "f" * 64),
        ("root", NODE.upper()[:-1]),
        ("keys", -1),
        ("keys", 2**48 + 1),
        ("keys", True),
        ("without", 2**32 + 1),
        ("more", 1),
    ],
)
def test_another_spelling_of_an_entry_is_refused(member: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        IndexEntry.from_json({**ENTRY.to_json(), member: value})


@pytest.mark.parametrize("change", [{"keys": -1}, {"keys": 2**49}, {"without": -1}])
def test_counts_that_cannot_be_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(MalformedError, match="counts"):
        replace(ENTRY, **change)  # type: ignore[arg-type]  # the values fit the members named


@pytest.mark.parametrize("parameters", [(("b", ""), ("a", "")), (("a", ""), ("a", ""))])
def test_parameters_are_sorted_and_named_once(parameters: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(MalformedError, match="sorted"):
        replace(ENTRY, normaliser="domain/2", parameters=parameters)


def test_too_many_parameters_are_refused() -> None:
    many = {f"p{number:02}": "" for number in range(17)}
    with pytest.raises(MalformedError):
        IndexEntry.from_json({**ENTRY.to_json(), "normaliser": "domain/2", "parameters": many})


def test_an_index_under_an_unknown_normaliser_can_be_read_but_not_checked() -> None:
    entry = replace(ENTRY, normaliser="url/1")
    with pytest.raises(UnavailableError, match="newer version"):
        verify_absence("x", AbsenceProof(None, ()), entry)


@pytest.mark.parametrize(
    "wrong",
    [
        {"siblings": None},
        {"siblings": [5]},
        {"siblings": ["f" * 64]},
        {"siblings": [NODE.upper() + "A"]},
        {"siblings": [NODE, "0" * 64]},
        {"salt": "0" * 64},
        {"salt": "0" * 61 + "A"},
        {"more": 1},
    ],
)
def test_another_spelling_of_a_presence_proof_is_refused(wrong: dict[str, Any]) -> None:
    proof = PresenceProof(IndexSalt(bytes(31)), (FieldElement(5),))
    assert PresenceProof.from_json(proof.to_json()) == proof
    with pytest.raises(MalformedError):
        PresenceProof.from_json({**proof.to_json(), **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"siblings": "00"},
        {"neighbour": []},
        {"neighbour": {"key": "0" * 62}},
        {"neighbour": {**NEIGHBOUR.to_json(), "key": "0" * 64}},
        {"neighbour": {**NEIGHBOUR.to_json(), "more": 1}},
        {"more": 1},
    ],
)
def test_another_spelling_of_an_absence_proof_is_refused(wrong: dict[str, Any]) -> None:
    for proof in (AbsenceProof(NEIGHBOUR, (FieldElement(5),)), AbsenceProof(None, ())):
        assert AbsenceProof.from_json(proof.to_json()) == proof
        with pytest.raises(MalformedError):
            AbsenceProof.from_json({**proof.to_json(), **wrong})
