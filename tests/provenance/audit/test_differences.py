"""Lies about what went and came between two versions."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from provenance import canonical
from provenance.field import Digest
from provenance.findings import Finding, Level, Outcome, Verdict
from provenance.policy import Requirement
from tests.provenance.audit.test_runs import finding
from tests.provenance.world import World, bad, build, rows

OTHER = Digest(b"\7" * 32)
SUBJECT = "cells@v1..cells@v2"


def differences(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.findings if f.claim == "difference"]


def with_document(world: World, data: bytes, name: Digest | None = None) -> Verdict:
    """Return the verdict on the world with this difference in place of its own."""
    kept = {p: body for p, body in world.members.items() if not p.startswith("differences/")}
    path = f"differences/{(name or canonical.digest(data)).hex()}.json"
    return world.audit(members=kept | {path: data})


def test_an_honest_difference_holds_with_its_numbers(honest: World) -> None:
    one, two = honest["table1"], honest["table2"]
    before = [one.leaf(number) for number in range(len(one.records))]
    after = [two.leaf(number) for number in range(len(two.records))]
    went, came = set(before) - set(after), set(after) - set(before)
    assert went
    assert len(before) == len(set(before))
    [found] = differences(honest.audit())
    assert (found.subject, found.outcome, found.level) == (SUBJECT, Outcome.HOLDS, Level.L1)
    kept = len(before) - len(went)
    words = f"exactly {len(went)} leaves went and {len(came)} leaves came; {kept} stand in both"
    assert found.reason == words
    assert found.rests_on == ("dataset cells@v1 (L1)", "dataset cells@v2 (L1)")
    gone, new, shows = found.notes
    assert gone == f"went: {', '.join(f'{leaf.hex[:16]}…' for leaf in sorted(went))}"
    assert new == f"came: {', '.join(f'{leaf.hex[:16]}…' for leaf in sorted(came)[:4])}" + (
        ", …" if len(came) > 4 else ""
    )
    assert "no record is shown" in shows
    assert any("erased" in words for words in found.not_proved)


def test_one_leaf_is_one_leaf() -> None:
    world = build(rows2=lambda _: rows(27, 1))
    [found] = differences(world.audit())
    assert found.reason == "exactly 1 leaf went and 0 leaves came; 27 stand in both"


def test_a_difference_can_be_required_by_its_subject(honest: World) -> None:
    policy = replace(honest.policy, require=(Requirement("difference", SUBJECT, Level.L1),))
    assert honest.audit(policy).outcome is Outcome.HOLDS
    back = Requirement("difference", "cells@v2..cells@v1", Level.L1)
    verdict = honest.audit(replace(policy, require=(back,)))
    assert bad(verdict)[0][2].startswith("the evidence says nothing of it; it has difference")


def hide(document: dict[str, Any]) -> None:
    """Leave the first leaf out."""
    leaves = document["before"]["leaves"]
    leaves[0] = leaves[0][64:]


def exchange(document: dict[str, Any]) -> None:
    """Say that another leaf went."""
    leaves = document["before"]["leaves"]
    leaves[0] = f"{7:064x}" + leaves[0][64:]


def deny(document: dict[str, Any]) -> None:
    """Say that nothing changed, with the later table for both."""
    document["before"]["chunks"] = document["after"]["chunks"]
    document["before"]["leaves"] = document["after"]["leaves"] = []


def swap(document: dict[str, Any]) -> None:
    before, after = document["before"], document["after"]
    document["before"] = {**after, "commitment": before["commitment"]}
    document["after"] = {**before, "commitment": after["commitment"]}


def turn(document: dict[str, Any]) -> None:
    document["before"], document["after"] = document["after"], document["before"]


def same(document: dict[str, Any]) -> None:
    document["before"] = document["after"] = {**document["after"], "leaves": []}


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (hide, "lower-case hex digits"),
        (exchange, "leads to"),
        (deny, "the table counts"),
        (swap, "the table counts"),
        (turn, "cells@v1 came before cells@v2"),
        (same, "are one version"),
    ],
)
def test_lies_fail(honest: World, lie: Callable[[dict[str, Any]], None], words: str) -> None:
    document = json.loads(honest["difference"].encoded)
    lie(document)
    verdict = with_document(honest, canonical.encode(document))
    assert finding(verdict, "difference", words)
    assert verdict.outcome is Outcome.FAILS


def test_a_difference_from_an_unpublished_version_is_unknown(honest: World) -> None:
    for side in ("before", "after"):
        told = honest["difference"]
        part = replace(getattr(told, side), commitment=OTHER)
        verdict = with_document(honest, replace(told, **{side: part}).encoded)
        assert finding(verdict, "difference", "is not shown to be published", Outcome.UNKNOWN)
        assert verdict.outcome is Outcome.UNKNOWN


def test_a_difference_from_what_is_no_dataset_fails(honest: World) -> None:
    told = honest["difference"]
    part = replace(told.before, commitment=honest["start"].digest)
    verdict = with_document(honest, replace(told, before=part).encoded)
    assert finding(verdict, "difference", "is no dataset")


def test_a_difference_from_another_dataset_fails() -> None:
    world = build(v1=lambda made: replace(made, name="lungs"), v2=_alone)
    assert finding(world.audit(), "difference", "are different datasets")


def test_versions_whose_leaves_cannot_be_compared_fail() -> None:
    world = build(v1=lambda made: replace(made, features=None))
    assert finding(world.audit(), "difference", "different feature specs")


def test_a_difference_from_a_version_that_was_published_later_fails() -> None:
    """Versions that do not name each other are ordered by the log alone."""
    schedule = ("v2", "v1", "claim", "prepare", "announce", "seed", "run", "challenge")
    world = build(schedule, v2=_alone)
    assert finding(world.audit(), "difference", "cells@v1 was published later than cells@v2")


def _alone(made: Any) -> Any:
    return replace(made, previous=None)


def test_a_difference_under_another_name_than_its_digest_fails(honest: World) -> None:
    verdict = with_document(honest, honest["difference"].encoded, OTHER)
    assert finding(verdict, "difference", "name is not its digest")


def test_a_difference_that_is_too_long_is_not_read(honest: World) -> None:
    verdict = with_document(honest, bytes(2**26 + 1))
    assert finding(verdict, "difference", "at most 67108864 are read")
