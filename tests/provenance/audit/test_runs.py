"""Lies about runs: their order, their seed, their competitors, the rules they name."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from provenance.field import Digest
from provenance.findings import Level, Outcome, Verdict
from provenance.log import digest_entry
from tests.provenance.world import HONEST, ROTATED, STRANGER, World, bad, build

OTHER = Digest(b"\7" * 32)


def finding(verdict: Verdict, claim: str, words: str, outcome: Outcome = Outcome.FAILS) -> bool:
    """Return whether a claim has a finding that says so, and the verdict does not hold."""
    assert verdict.outcome is not Outcome.HOLDS
    found = [f for f in verdict.findings if f.claim == claim and f.outcome is outcome]
    assert any(words in f.reason for f in found), bad(verdict)
    return True


def test_a_run_registered_before_it_was_announced_fails() -> None:
    world = build(("data", "claim", "prepare", "seed", "run", "challenge", "announce"))
    assert finding(world.audit(), "run", "registered before it was announced")


def test_a_seed_that_is_not_the_named_heights_fails() -> None:
    world = build(seed=lambda _: OTHER)
    assert finding(world.audit(), "order", "the run's seed is not the hash of block")


def test_a_seed_height_not_above_the_starts_receipt_fails() -> None:
    for height in (3, 5):
        world = build(start=partial(replace, seed_height=height))
        assert finding(world.audit(), "order", "must stand in rising blocks")


def test_a_seed_height_not_below_the_runs_receipt_fails() -> None:
    world = build((*HONEST[:4], "guess", "run", "challenge"))
    assert finding(world.audit(), "order", "must stand in rising blocks")


def test_data_published_after_the_start_fails() -> None:
    world = build(("prepare", "announce", "data", "claim", "seed", "run", "challenge"))
    assert finding(world.audit(), "order", "not before the run's start")


def test_data_published_in_the_starts_block_fails() -> None:
    world = build(("prepare", "data with the start", "claim", "seed", "run", "challenge"))
    assert finding(world.audit(), "order", "not before the run's start")


def test_data_that_was_never_published_makes_order_unknown() -> None:
    world = build(("prepare", "announce", "block", "seed", "run", "challenge"))
    verdict = world.audit()
    assert finding(verdict, "order", "is not shown to be published", Outcome.UNKNOWN)
    assert finding(verdict, "steps", "is not shown to be published", Outcome.UNKNOWN)


@pytest.mark.parametrize("place", [3, 4, 5])
def test_two_starts_that_compete_for_one_run_fail(place: int) -> None:
    world = build((*HONEST[:place], "rival", *HONEST[place:]))
    verdict = world.audit()
    assert finding(verdict, "order", "announced another run, 'rival', that is not accounted for")
    assert finding(verdict, "run", "not registered: unfinished", Outcome.UNKNOWN)


@pytest.mark.parametrize("place", [3, 4, 5])
def test_a_rival_closed_by_a_statement_that_nobody_can_replay_is_not_accounted_for(
    place: int,
) -> None:
    world = build((*HONEST[:place], "rival", *HONEST[place:6], "close the rival", "challenge"))
    verdict = world.audit()
    words = "'rival', whose steps were not replayed here"
    assert finding(verdict, "order", words, Outcome.UNKNOWN)
    [steps] = [f for f in verdict.findings if f.claim == "steps" and f.subject == "first-run"]
    assert steps.outcome is Outcome.UNKNOWN
    assert "with 2 runs announced on this data to choose from" in steps.reason


def test_a_run_on_the_same_data_that_ended_before_does_not_compete(honest: World) -> None:
    early = ("data", "claim", "rival", "close the rival", *HONEST[2:])
    verdict = build(early).audit()
    found = {f.claim: f for f in verdict.findings if f.subject == "first-run"}
    assert (found["order"].level, found["steps"].level) == (Level.L2, Level.L3)
    assert "with 2 runs announced" in found["steps"].reason
    assert "with 1 runs announced" in next(
        f.reason for f in honest.audit().findings if f.claim == "steps"
    )


def test_a_start_announced_after_the_run_does_not_compete_with_it() -> None:
    verdict = build((*HONEST, "rival")).audit()
    assert [f.level for f in verdict.findings if f.claim == "order"] == [Level.L2]


def test_two_runs_for_one_start_fail() -> None:
    verdict = build((*HONEST[:-1], "second run", "challenge")).audit()
    assert finding(verdict, "log", "two run statements for one start")
    assert finding(verdict, "order", "the log has competing run statements")


def test_a_run_without_its_start_fails() -> None:
    verdict = build(("data", "claim", "prepare", "seed", "run", "challenge")).audit()
    assert finding(verdict, "log", "a run statement without its start")
    assert finding(verdict, "run", "is not in the evidence", Outcome.UNKNOWN)


def test_a_run_whose_start_is_something_else_is_unknown() -> None:
    world = build()
    dataset = world["v1"].digest
    verdict = build(run=lambda run: replace(run, start=dataset)).audit()
    assert finding(verdict, "run", "is not in the evidence", Outcome.UNKNOWN)


def test_a_start_in_an_entry_could_be_one_of_a_thousand_and_fails() -> None:
    world = build(("data", "claim", "prepare", "announce in an entry", *HONEST[4:]))
    verdict = world.audit()
    assert finding(verdict, "log", "run starts and run statements stand in a header, alone")
    assert finding(verdict, "evidence", "nothing shows in which batch", Outcome.UNKNOWN)


def test_a_start_behind_a_path_does_not_count_as_announced() -> None:
    world = build(("data", "claim", "prepare", "announce in an entry", *HONEST[4:]))
    envelope = world.members.pop("entries/0000000003.bin")
    [name] = [
        path.removeprefix("attestations/").removesuffix(".json")
        for path, data in world.members.items()
        if path.startswith("attestations/") and digest_entry(data) == envelope
    ]
    world.add_path(name, sequence=3, index=0, siblings=(), full=False)
    verdict = world.audit()
    assert finding(verdict, "evidence", "nothing shows in which batch", Outcome.UNKNOWN)
    assert all(f.claim != "order" for f in verdict.findings)


def test_start_and_run_by_two_keys_of_one_issuer_hold() -> None:
    verdict = build(run=lambda run: replace(run, issuer=ROTATED.key_id)).audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


def test_start_and_run_by_two_issuers_fail() -> None:
    verdict = build(run=lambda run: replace(run, issuer=STRANGER.key_id)).audit()
    assert finding(verdict, "evidence", "signed by another issuer than the log's")


def test_a_base_model_that_the_policy_does_not_approve_fails() -> None:
    world = build(start=lambda start: replace(start, base=OTHER))
    assert finding(world.audit(), "run", "base model is not approved")
    approved = replace(world.policy, models=(OTHER,))
    assert world.audit(approved).outcome is Outcome.HOLDS
    assert world.audit(replace(world.policy, models=None)).outcome is Outcome.HOLDS


def test_a_challenge_height_not_above_the_runs_receipt_fails() -> None:
    world = build(run=lambda run: replace(run, challenge_height=8))
    assert finding(world.audit(), "steps", "not above the run's own receipt")


def test_a_challenge_height_above_the_anchor_is_unknown() -> None:
    world = build(HONEST[:-1])
    assert finding(world.audit(), "steps", "does not hang on the policy's anchor", Outcome.UNKNOWN)


@pytest.mark.parametrize(
    "change",
    [
        lambda start: replace(start, sampler="external/1"),
        lambda start: replace(start, initial="external/1"),
        lambda start: replace(start, optimiser="external/1"),
        lambda start: replace(start, state="bytes/1"),
    ],
)
def test_rules_that_an_auditor_cannot_run_again_make_steps_unknown(
    change: Callable[[Any], Any],
) -> None:
    verdict = build(start=change).audit()
    assert finding(verdict, "steps", "an auditor here cannot run", Outcome.UNKNOWN)
    assert [f.level for f in verdict.findings if f.claim == "order"] == [Level.L1]


def test_a_run_that_names_no_training_data_makes_steps_unknown() -> None:
    verdict = build(start=lambda s: replace(s, datasets={"test": s.datasets["train"]})).audit()
    assert finding(verdict, "steps", "names no dataset as 'train'", Outcome.UNKNOWN)


def test_a_policy_that_asks_for_no_samples_gets_order_at_l1(honest: World) -> None:
    verdict = honest.audit(replace(honest.policy, samples=0))
    assert all(f.claim != "steps" for f in verdict.findings)
    [order] = [f for f in verdict.findings if f.claim == "order"]
    assert order.level is Level.L1
    assert "no steps were replayed" in order.reason


def test_a_run_without_opened_steps_makes_them_unknown(honest: World) -> None:
    members = {p: d for p, d in honest.members.items() if not p.startswith("steps/")}
    verdict = honest.audit(members=members)
    assert finding(verdict, "steps", "none of its steps are opened", Outcome.UNKNOWN)


def test_an_operator_whom_the_policy_does_not_trust_makes_order_and_steps_unknown(
    honest: World,
) -> None:
    verdict = honest.audit(replace(honest.policy, operators=()))
    assert finding(verdict, "order", "does not trust its operator", Outcome.UNKNOWN)
    assert finding(verdict, "steps", "does not trust its operator", Outcome.UNKNOWN)


def test_without_a_checkpoint_order_steps_log_and_uniqueness_are_unknown(honest: World) -> None:
    members = {p: d for p, d in honest.members.items() if not p.startswith("checkpoints/")}
    verdict = honest.audit(members=members)
    assert verdict.outcome is Outcome.UNKNOWN
    unknown = {f.claim for f in verdict.findings if f.outcome is Outcome.UNKNOWN}
    assert unknown == {"log", "unique", "order", "steps"}


def test_a_run_without_metrics_says_so() -> None:
    verdict = build(run=lambda run: replace(run, metrics={})).audit()
    [run] = [f for f in verdict.findings if f.claim == "run"]
    assert run.reason.endswith("declared metrics (L0): none")
