"""Rules that an auditor runs again: against slow references, by hand, and at their bounds."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from itertools import islice
from math import comb, floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.replay import (
    MAX_DRAWS,
    MAX_RECORDS,
    Logistic,
    below,
    challenge,
    detection,
    draws,
    permutation,
    plan,
    rounded,
)
from tests.provenance.documents import vectors, word

VECTORS = vectors("replay")
SEED = word("seed")
RULES = {"batch": 4, "epochs": 3, "holdout_permille": 200}
SMALL = st.integers(-(2**14), 2**14)


@pytest.mark.parametrize("case", VECTORS["draws"], ids=lambda case: case["label"])
def test_draw_vectors(case: dict[str, Any]) -> None:
    found = islice(draws(Digest.parse(case["seed"]), case["label"]), len(case["words"]))
    assert [str(word) for word in found] == case["words"]


@pytest.mark.parametrize("case", VECTORS["permutations"], ids=lambda case: str(case["count"]))
def test_permutation_vectors(case: dict[str, Any]) -> None:
    assert permutation(Digest.parse(case["seed"]), case["label"], case["count"]) == case["order"]


@pytest.mark.parametrize("case", VECTORS["plans"], ids=lambda case: case["name"])
def test_plan_vectors(case: dict[str, Any]) -> None:
    seed, rules = Digest.parse(case["seed"]), case["hyperparameters"]
    if case["batches"] is None:
        with pytest.raises(MalformedError):
            plan(seed, case["records"], rules)
        return
    found = plan(seed, case["records"], rules)
    assert list(found.held_out) == case["held_out"]
    assert [list(batch) for batch in found.batches] == case["batches"]


@pytest.mark.parametrize("case", VECTORS["steps"], ids=lambda case: case["name"])
def test_step_vectors(case: dict[str, Any]) -> None:
    optimiser = Logistic.of(case["hyperparameters"])
    if case["after"] is None:
        with pytest.raises(MalformedError):
            optimiser.step(case["before"], case["batch"])
    else:
        assert list(optimiser.step(case["before"], case["batch"])) == case["after"]


@pytest.mark.parametrize("case", VECTORS["challenges"], ids=lambda case: str(case["steps"]))
def test_challenge_vectors(case: dict[str, Any]) -> None:
    block, run = Digest.parse(case["block"]), Digest.parse(case["run"])
    assert list(challenge(block, run, case["steps"], case["samples"])) == case["drawn"]


def test_a_draw_is_a_quarter_of_a_digest_of_label_seed_and_counter() -> None:
    blocks = [
        sha256(b"RL-draw\0\0\0\5label" + SEED + counter.to_bytes(8, "big")).digest()
        for counter in range(2)
    ]
    expected = [int.from_bytes(block[i : i + 8], "big") for block in blocks for i in (0, 8, 16, 24)]
    assert list(islice(draws(SEED, "label"), 8)) == expected


def test_labels_do_not_run_into_seeds_or_each_other() -> None:
    first = {next(draws(SEED, label)) for label in ("", "a", "ab", "b", "epoch 1", "epoch 11")}
    assert len(first) == 6


@given(st.integers(1, 2**64), st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_a_draw_below_a_bound_takes_the_first_word_of_the_even_part(bound: int, first: int) -> None:
    words = iter([first, 0])
    found = below(words, bound)
    if first < 2**64 // bound * bound:
        assert found == first % bound
        assert next(words) == 0
    else:
        assert found == 0


def test_words_in_the_uneven_rest_are_rejected() -> None:
    bound = 2**63 + 1
    assert below(iter([2**64 - 1, 2**63 + 1, 7]), bound) == 7


@pytest.mark.parametrize("bound", [0, -1, 2**64 + 1])
def test_a_bound_that_no_word_can_fill_is_refused_and_no_endless_loop(bound: int) -> None:
    with pytest.raises(MalformedError, match="a draw below"):
        below(draws(SEED, "label"), bound)


def slow_permutation(seed: Digest, label: str, count: int) -> list[int]:
    """Fisher and Yates: strike out from the end, with rejection spelled out."""
    words, order = draws(seed, label), list(range(count))
    for top in reversed(range(1, count)):
        word = next(words)
        while word >= 2**64 - 2**64 % (top + 1):
            word = next(words)
        other = word % (top + 1)
        order[top], order[other] = order[other], order[top]
    return order


@given(st.integers(0, 200), st.text(max_size=5), st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_a_permutation_is_one_and_the_one_that_the_seed_decides(
    count: int, label: str, seed: bytes
) -> None:
    found = permutation(Digest(seed), label, count)
    assert sorted(found) == list(range(count))
    assert found == slow_permutation(Digest(seed), label, count)


def test_all_permutations_of_three_are_about_as_frequent() -> None:
    seen: dict[tuple[int, ...], int] = {}
    for i in range(1200):
        found = tuple(permutation(word(str(i)), "p", 3))
        seen[found] = seen.get(found, 0) + 1
    assert len(seen) == 6
    assert all(140 <= times <= 260 for times in seen.values())


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 999))
@settings(deadline=None)
def test_a_plan_trains_on_kept_records_at_most_once_an_epoch(
    records: int, size: int, epochs: int, permille: int
) -> None:
    rules = {"batch": size, "epochs": epochs, "holdout_permille": permille}
    held = records * permille // 1000
    if records - held < size:
        with pytest.raises(MalformedError, match="no step"):
            plan(SEED, records, rules)
        return
    found = plan(SEED, records, rules)
    assert len(found.held_out) == held
    kept = set(range(records)) - set(found.held_out)
    steps = (records - held) // size
    assert len(found.batches) == epochs * steps
    for epoch in range(epochs):
        seen = [n for batch in found.batches[epoch * steps : (epoch + 1) * steps] for n in batch]
        assert len(seen) == len(set(seen)) == steps * size
        assert set(seen) <= kept


def test_epochs_and_seeds_give_other_orders() -> None:
    one = plan(SEED, 40, RULES)
    assert one == plan(SEED, 40, RULES)
    assert one.batches[:8] != one.batches[8:16] != one.batches[16:]
    assert one != plan(word("other"), 40, RULES)


def test_members_of_other_rules_do_not_disturb_the_sampler() -> None:
    assert plan(SEED, 40, {**RULES, "rate_bits": 3, "note": "x"}) == plan(SEED, 40, RULES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 0), ("batch", 2**14 + 1), ("batch", "4"), ("batch", True), ("batch", 4.0),
        ("batch", None), ("epochs", 0), ("epochs", 2**16 + 1), ("holdout_permille", 1000),
        ("holdout_permille", -1), ("holdout_permille", 0.2),
    ],
)  # fmt: skip
def test_a_plan_of_wrong_hyperparameters_is_refused(name: str, value: Any) -> None:
    with pytest.raises(MalformedError, match=name):
        plan(SEED, 40, {**RULES, name: value})
    with pytest.raises(MalformedError, match="missing"):
        plan(SEED, 40, {other: kept for other, kept in RULES.items() if other != name})


def test_a_plan_that_would_keep_an_auditor_busy_for_days_is_refused_at_once() -> None:
    with pytest.raises(MalformedError, match="at most 16777216 records, not"):
        plan(SEED, MAX_RECORDS + 1, RULES)
    long = {"batch": 2**14, "epochs": 2**16, "holdout_permille": 0}
    with pytest.raises(MalformedError, match="in all epochs"):
        plan(SEED, MAX_RECORDS, long)
    with pytest.raises(MalformedError, match="in all epochs"):
        plan(SEED, 2**8 + 1, {**long, "batch": 1})
    assert MAX_DRAWS == 2**24


@pytest.mark.parametrize(
    ("value", "divisor", "expected"),
    [
        (5, 2, 3), (-5, 2, -2), (1, 2, 1), (-1, 2, 0), (3, 2, 2), (-3, 2, -1), (0, 7, 0),
        (7, 4, 2), (-7, 4, -2), (6, 4, 2), (-6, 4, -1), (10**30, 3, 333333333333333333333333333333),
    ],
)  # fmt: skip
def test_halves_are_rounded_upwards(value: int, divisor: int, expected: int) -> None:
    assert rounded(value, divisor) == expected


@given(st.integers(-(2**80), 2**80), st.integers(1, 2**40))
@settings(deadline=None)
def test_rounding_is_the_floor_of_a_half_more(value: int, divisor: int) -> None:
    assert rounded(value, divisor) == floor(Fraction(value, divisor) + Fraction(1, 2))


def slow_step(
    optimiser: Logistic, weights: list[int], batch: list[list[int]]
) -> Iterator[tuple[int, Fraction]]:
    """Each weight and its exact gradient times the rate, in fractions of one."""
    errors = []
    for *inputs, label in batch:
        z = sum(
            Fraction(w, 2**10) * Fraction(v - c, 2**7)
            for w, v, c in zip(weights, inputs, optimiser.centre, strict=False)
        ) + Fraction(weights[-1], 2**10)
        sigmoid = floor((z / 4 + Fraction(1, 2)) * 2**10 + Fraction(1, 2))
        errors.append(Fraction(min(max(sigmoid, 0), 2**10), 2**10) - label)
    rate = Fraction(1, 2**optimiser.rate_bits)
    for j, weight in enumerate(weights):
        column = [
            Fraction(row[j] - optimiser.centre[j], 2**7) if j < len(optimiser.centre) else 1
            for row in batch
        ]
        mean = sum((e * x for e, x in zip(errors, column, strict=True)), Fraction(0)) / len(batch)
        yield weight, rate * mean


@given(st.data(), st.integers(1, 4), st.integers(0, 6))
@settings(deadline=None)
def test_a_step_is_gradient_descent_in_exact_fractions(
    data: Any, width: int, rate_bits: int
) -> None:
    optimiser = Logistic(
        tuple(data.draw(st.lists(SMALL, min_size=width, max_size=width))), rate_bits
    )
    weights = data.draw(st.lists(SMALL, min_size=width + 1, max_size=width + 1))
    row = st.tuples(*[SMALL] * width, st.integers(0, 1)).map(list)
    batch = data.draw(st.lists(row, min_size=1, max_size=5))
    expected = tuple(
        weight - floor(gradient * 2**10 + Fraction(1, 2))
        for weight, gradient in slow_step(optimiser, weights, batch)
    )
    assert optimiser.step(weights, batch) == expected


def test_a_step_by_hand() -> None:
    """One row, input 2.0 over its centre, label 1: from zero the error is -1/2."""
    optimiser = Logistic((100,), 1)
    assert optimiser.initial == (0, 0)
    assert optimiser.probability((0, 0), (356,)) == 512
    assert optimiser.step((0, 0), [(356, 1)]) == (512, 256)  # rate 1/2 * 1/2 * (2, 1), at 2**10


def test_the_hard_sigmoid_is_cut_off_at_both_ends() -> None:
    optimiser = Logistic((0,), 0)
    assert optimiser.probability((8189, 0), (8189,)) == 1024
    assert optimiser.probability((-8189, 0), (8189,)) == 0
    assert optimiser.probability((0, 2048), (0,)) == 1024
    assert optimiser.probability((0, 2047), (0,)) == 1024
    assert optimiser.probability((0, 2044), (0,)) == 1023
    assert optimiser.probability((0, -2048), (0,)) == 0


def test_big_states_do_not_overflow() -> None:
    optimiser = Logistic((0,), 0)
    assert optimiser.step((2**70, 0), [(2**70, 0)]) == (2**70 - 2**73, -1024)


@pytest.mark.parametrize(
    ("weights", "batch"),
    [
        ((0, 0), []),
        ((0, 0), [(1,)]),
        ((0, 0), [(1, 2, 1)]),
        ((0, 0), [(1, 2)]),
        ((0, 0), [(1, -1)]),
        ((0, 0), [(1, 1), (1, 3)]),
        ((0,), [(1, 1)]),
        ((0, 0, 0), [(1, 1)]),
        ((), [(1, 1)]),
    ],
)
def test_rows_labels_and_weights_that_do_not_fit_are_refused(
    weights: tuple[int, ...], batch: list[tuple[int, ...]]
) -> None:
    with pytest.raises(MalformedError, match="logistic"):
        Logistic((0,), 0).step(weights, batch)


@pytest.mark.parametrize(("weights", "inputs"), [((0, 0), ()), ((0, 0), (1, 2)), ((0,), (1,))])
def test_a_probability_is_of_inputs_that_fit(
    weights: tuple[int, ...], inputs: tuple[int, ...]
) -> None:
    with pytest.raises(MalformedError, match="inputs have"):
        Logistic((0,), 0).probability(weights, inputs)


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"centre": [1]},
        {"rate_bits": 1},
        {"centre": 1, "rate_bits": 1},
        {"centre": [1.0], "rate_bits": 1},
        {"centre": [True], "rate_bits": 1},
        {"centre": ["1"], "rate_bits": 1},
        {"centre": [2**14 + 1], "rate_bits": 1},
        {"centre": [-(2**14) - 1], "rate_bits": 1},
        {"centre": [0] * 4097, "rate_bits": 1},
        {"centre": [1], "rate_bits": 17},
        {"centre": [1], "rate_bits": -1},
    ],
)
def test_an_optimiser_of_wrong_hyperparameters_is_refused(hyperparameters: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="optimiser"):
        Logistic.of(hyperparameters)


def test_an_optimiser_takes_its_declared_values() -> None:
    found = Logistic.of({"centre": [2**14, -(2**14)], "rate_bits": 16, "batch": 3})
    assert found == Logistic((2**14, -(2**14)), 16)
    assert found != replace(found, rate_bits=15)


@given(st.integers(0, 50), st.integers(0, 60), st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_challenges_are_distinct_steps_as_many_as_there_can_be(
    steps: int, samples: int, block: bytes
) -> None:
    drawn = challenge(Digest(block), word("run"), steps, samples)
    assert len(drawn) == len(set(drawn)) == min(samples, steps)
    assert all(0 <= number < steps for number in drawn)
    assert drawn[: samples // 2] == challenge(Digest(block), word("run"), steps, samples // 2)


def test_neither_block_nor_run_alone_decides_the_challenge() -> None:
    found = challenge(word("block"), word("run"), 10**6, 5)
    assert found != challenge(word("other"), word("run"), 10**6, 5)
    assert found != challenge(word("block"), word("other"), 10**6, 5)
    assert found != challenge(word("run"), word("block"), 10**6, 5)


@pytest.mark.parametrize(("steps", "forged", "samples"), [(20, 2, 5), (100, 10, 30), (50, 1, 50)])
def test_detection_is_never_overstated(steps: int, forged: int, samples: int) -> None:
    exact = 1 - comb(steps - forged, samples) / comb(steps, samples)
    told = detection(forged / steps, samples)
    assert told <= exact + 1e-12
    assert told > exact - 0.5


def test_detection_at_its_ends() -> None:
    assert detection(0.0, 100) == 0
    assert detection(1.0, 1) == 1
    assert detection(0.5, 0) == 0
    assert detection(0.1, 1) < detection(0.1, 2) < detection(0.2, 2)


@pytest.mark.parametrize(("share", "samples"), [(-0.1, 1), (1.1, 1), (float("nan"), 1), (0.5, -1)])
def test_there_is_no_chance_of_a_share_that_is_none(share: float, samples: int) -> None:
    with pytest.raises(MalformedError, match="no chance"):
        detection(share, samples)
