"""Lies about steps: numbers, states, batches, records; all six steps of the run are challenged."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from provenance import canonical
from provenance.audit.steps import State, record_index
from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement
from provenance.findings import Outcome, Verdict
from provenance.training import RunStart
from provenance.tree import Chunk
from tests.provenance.world import HONEST, World, bad, build

ALL = 6
OTHER = Digest(b"\7" * 32)


def reason(verdict: Verdict) -> str:
    """Return why the steps do not hold."""
    assert verdict.outcome is not Outcome.HOLDS
    [found] = [f for f in verdict.findings if f.claim == "steps"]
    assert found.outcome is Outcome.FAILS, bad(verdict)
    return found.reason


def told(**changes: Callable[[Any], Any]) -> str:
    return reason(build(HONEST, samples=ALL, ledger=None, **changes).audit())


def at(which: int, **values: Any) -> Callable[[list[Any]], list[Any]]:
    """Return what changes one step of a run."""
    return lambda steps: [
        replace(step, **values) if n == which else step for n, step in enumerate(steps)
    ]


def test_all_steps_of_an_honest_run_hold() -> None:
    verdict = build(samples=ALL).audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    [found] = [f for f in verdict.findings if f.claim == "steps"]
    assert found.reason.startswith("6 of 6 steps replayed")


def test_more_samples_than_steps_asks_for_all_of_them() -> None:
    assert build(samples=ALL + 1).audit().outcome is Outcome.HOLDS


def test_steps_that_do_not_chain_fail() -> None:
    assert "do not chain" in told(steps=at(3, before=OTHER))
    assert "do not chain" in told(steps=at(3, after=OTHER))


def forged(side: str, metrics: dict[str, str]) -> World:
    """Return a world in which step 3 begins or ends elsewhere; metrics decide what is drawn."""
    steps, run = at(3, **{side: OTHER}), partial(replace, metrics=metrics)
    return build(HONEST, samples=1, ledger=None, steps=steps, run=run)


@pytest.mark.parametrize(
    ("side", "drawn"), [("before", 2), ("before", 3), ("after", 3), ("after", 4)]
)
def test_steps_that_do_not_chain_fail_on_either_side(side: str, drawn: int) -> None:
    """Step 3 is forged; where one neighbour alone is drawn, or itself, only the chain shows it."""
    worlds = (forged(side, {"number": str(number)}) for number in range(100))
    world = next(world for world in worlds if world["drawn"] == (drawn,))
    assert "do not chain" in reason(world.audit())


def test_a_first_step_that_begins_elsewhere_fails() -> None:
    assert "does not begin at the declared initial" in told(steps=at(0, before=OTHER))


def test_a_last_step_that_ends_elsewhere_fails() -> None:
    assert "does not end at the declared final" in told(steps=at(ALL - 1, after=OTHER))


def test_a_declared_initial_state_that_the_rule_does_not_give_fails() -> None:
    assert "initial state is not the one that zeros/1" in told(
        run=lambda run: replace(run, initial=OTHER)
    )


def test_an_initial_state_of_other_weights_fails() -> None:
    def forge(states: list[State]) -> list[State]:
        return [State((1, 0, 0, 0), FieldElement(5)), *states[1:]]

    assert "initial state is not the one that zeros/1" in told(states=forge)


def test_a_forged_final_state_fails() -> None:
    assert "declared final state" in told(run=lambda run: replace(run, final=OTHER))


def test_a_forged_state_fails_even_where_all_commitments_fit() -> None:
    for number in (1, 3, ALL):

        def forge(states: list[State], number: int = number) -> list[State]:
            honest = states[number]
            forged = State((honest.weights[0] + 1, *honest.weights[1:]), honest.salt)
            return [forged if n == number else state for n, state in enumerate(states)]

        assert "run again, it ends in another state" in told(states=forge)


@pytest.mark.parametrize(
    ("off", "tolerance", "outcome"),
    [(1, 1, Outcome.HOLDS), (2, 1, Outcome.FAILS), (1, 0, Outcome.FAILS)],
)
def test_a_state_may_be_off_its_rule_by_the_declared_tolerance_alone(
    off: int, tolerance: int, outcome: Outcome
) -> None:
    def forge(states: list[State]) -> list[State]:
        last = states[-1]
        return [*states[:-1], State((last.weights[0] + off, *last.weights[1:]), last.salt)]

    def declare(start: RunStart) -> RunStart:
        return replace(start, hyperparameters={**start.hyperparameters, "tolerance": tolerance})

    verdict = build(HONEST, samples=ALL, ledger=None, start=declare, states=forge).audit()
    [found] = [f for f in verdict.findings if f.claim == "steps"]
    assert found.outcome is outcome
    held = outcome is Outcome.HOLDS
    told = "within the declared 1 units" if held else "run again, it ends in another state"
    assert told in found.reason


def test_numbers_that_are_not_positions_fail() -> None:
    assert "step 4 was opened where step 3 was wanted" in told(steps=at(3, number=4))


def test_swapped_steps_fail() -> None:
    def swap(steps: list[Any]) -> list[Any]:
        return [steps[0], steps[2], steps[1], *steps[3:]]

    assert "was opened where step" in told(steps=swap)


def test_a_batch_that_the_seed_does_not_give_fails() -> None:
    def swap(steps: list[Any]) -> list[Any]:
        other = (*steps[4].batch[:-1], steps[1].batch[-1])
        return at(4, batch=other)(steps)

    assert "its batch is not the one that the seed gives" in told(steps=swap)
    assert "its batch is not the one" in told(steps=lambda s: at(2, batch=s[2].batch[::-1])(s))


def test_a_batch_of_another_dataset_fails() -> None:
    assert "its batch is of another dataset" in told(steps=at(2, dataset=OTHER))


def test_feature_commitments_of_other_records_fail() -> None:
    assert "its feature commitments are others" in told(steps=at(2, features=(OTHER,)))


def test_a_run_of_another_length_than_the_sampler_gives_fails() -> None:
    assert "the sampler gives 6 steps, the transcript has 5" in told(steps=lambda steps: steps[:-1])


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    """Return what changes the document of opened steps."""

    def apply(document: Mapping[str, Any]) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(canonical.encode(document))
        change(copy)
        return copy

    return apply


def test_a_record_swapped_in_the_opened_batch_fails() -> None:
    def swap(document: dict[str, Any]) -> None:
        rows = document["samples"][0]["rows"]
        rows[0] = document["samples"][1]["rows"][0]

    assert "other records are opened than its batch's" in told(opened=changed(swap))


def test_a_changed_record_in_the_opened_batch_fails() -> None:
    def change(document: dict[str, Any]) -> None:
        row = document["samples"][0]["rows"][0]
        row["encoded"] = document["samples"][0]["rows"][1]["encoded"]

    assert "the proof leads to" in told(opened=changed(change))


def test_opened_states_that_are_not_the_committed_ones_fail() -> None:
    def change(document: dict[str, Any]) -> None:
        document["samples"][0]["after"]["weights"][0] += 1

    assert "the opened states are not the committed ones" in told(opened=changed(change))


def test_a_step_opened_without_its_neighbours_fails() -> None:
    def drop(document: dict[str, Any]) -> None:
        for sample in document["samples"]:
            sample["preceding"] = None

    assert "is not opened with both its neighbours" in told(opened=changed(drop))


def test_steps_of_another_run_fail() -> None:
    def change(document: dict[str, Any]) -> None:
        document["run"] = OTHER.hex()

    assert "are of another run" in told(opened=changed(change))


def test_samples_in_another_order_fail() -> None:
    def change(document: dict[str, Any]) -> None:
        document["samples"].reverse()

    assert "was opened where step" in told(opened=changed(change))


def test_more_samples_than_there_are_steps_fail() -> None:
    def change(document: dict[str, Any]) -> None:
        document["samples"].append(document["samples"][0])

    assert "7 opened steps in a run of 6" in told(opened=changed(change))


def test_weights_that_are_no_integers_fail() -> None:
    def change(document: dict[str, Any]) -> None:
        document["initial"]["weights"][0] = True

    assert "an array of integers" in told(opened=changed(change))


def test_fewer_samples_than_the_policy_asks_for_are_unknown(honest: World) -> None:
    verdict = honest.audit(replace(honest.policy, samples=3))
    [found] = [f for f in verdict.findings if f.claim == "steps"]
    assert found.outcome is Outcome.UNKNOWN
    assert found.reason == "2 steps are opened, the policy asks for 3"


@pytest.mark.parametrize("of", ["run", "v2"])
def test_steps_without_a_chunk_table_are_unknown(honest: World, of: str) -> None:
    path = f"tables/{honest[of].digest.hex()}.json"
    verdict = honest.audit(members={p: d for p, d in honest.members.items() if p != path})
    [found] = [f for f in verdict.findings if f.claim == "steps"]
    assert found.outcome is Outcome.UNKNOWN
    assert "is not in the evidence" in found.reason
    assert verdict.outcome is Outcome.UNKNOWN


def test_steps_on_a_dataset_without_features_are_unknown() -> None:
    world = build(v2=lambda v2: replace(v2, features=None))
    [found] = [f for f in world.audit().findings if f.claim == "steps"]
    assert found.outcome is Outcome.UNKNOWN
    assert "commits to no features" in found.reason


def test_a_record_index_is_chunk_and_position() -> None:
    table = (Chunk(FieldElement(1), 2), Chunk(FieldElement(2), 3))
    assert [record_index(table, n) for n in range(5)] == [0, 1, 2**14, 2**14 + 1, 2**14 + 2]
    with pytest.raises(MalformedError, match="so high a number"):
        record_index(table, 5)
