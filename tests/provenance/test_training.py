"""Run starts, runs and steps: one form each, and nothing that could not have been."""

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import canonical
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement
from provenance.record import Value, decode_record, encode_record
from provenance.training import (
    MAX_CHUNKS,
    MAX_CODE,
    MAX_DATASETS,
    MAX_HEIGHT,
    MAX_STEPS,
    STEP_SCHEMA,
    Run,
    RunStart,
    Step,
    Transcript,
    bytes_state,
)
from tests.provenance.documents import (
    RUN,
    START,
    assert_members_are_needed,
    assert_one_form,
    refuses_or_differs,
    vectors,
    word,
)

VECTORS = vectors("run")
STEP = Step(3, word("before"), word("after"), word("data"), (5, 16384, 4), (word("feature"),))
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
STEPS = st.builds(
    Step,
    st.integers(0, 2**64 - 1),
    DIGESTS,
    DIGESTS,
    DIGESTS,
    st.lists(st.integers(0, 2**64 - 1), max_size=5).map(tuple),
    st.lists(DIGESTS, max_size=3).map(tuple),
)


@pytest.mark.parametrize("case", VECTORS["documents"], ids=lambda case: case["name"])
def test_document_vectors(case: dict[str, Any]) -> None:
    data = case["text"].encode()
    if case["digest"] is not None:
        found = parsed(case["kind"], data)
        assert found.encoded == data
        assert found.digest.hex() == case["digest"]
    else:
        with pytest.raises(MalformedError):
            parsed(case["kind"], data)


def parsed(kind: str, data: bytes) -> RunStart | Run:
    return RunStart.parse(data) if kind == "start" else Run.parse(data)


@pytest.mark.parametrize("case", VECTORS["steps"], ids=lambda case: case["name"])
def test_step_vectors(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["encoded"])
    if case["step"] is not None:
        step = Step.of(decode_record(STEP_SCHEMA, data))
        told = case["step"]
        assert (step.number, list(step.batch)) == (told["number"], told["batch"])
        assert [step.before.hex(), step.after.hex()] == [told["before"], told["after"]]
        assert step.dataset.hex() == told["dataset"]
        assert [feature.hex() for feature in step.features] == told["features"]
        assert encode_record(STEP_SCHEMA, step.record) == data
    else:
        with pytest.raises(MalformedError):
            Step.of(decode_record(STEP_SCHEMA, data))


def test_the_schema_of_steps_is_fixed() -> None:
    assert STEP_SCHEMA.digest.hex() == VECTORS["step_schema"]


@pytest.mark.parametrize("case", VECTORS["states"], ids=lambda case: case["name"])
def test_state_vectors(case: dict[str, Any]) -> None:
    found = bytes_state(bytes.fromhex(case["state"]), bytes.fromhex(case["salt"]))
    assert found.hex() == case["commitment"]


@pytest.mark.parametrize("start", [START, replace(START, base=word("base"), hyperparameters={})])
def test_a_start_has_one_form(start: RunStart) -> None:
    assert RunStart.parse(start.encoded) == start
    assert_members_are_needed(RunStart.parse, start.encoded)
    assert assert_one_form(RunStart.parse, start.encoded) > 150


@pytest.mark.parametrize("run", [RUN, replace(RUN, model=None, metrics={})])
def test_a_run_has_one_form(run: Run) -> None:
    assert Run.parse(run.encoded) == run
    assert_members_are_needed(Run.parse, run.encoded)
    assert assert_one_form(Run.parse, run.encoded) > 150


@given(st.integers(0, 8 * len(START.encoded) - 1))
@settings(deadline=None, max_examples=200)
def test_a_flipped_bit_never_gives_an_equal_start(place: int) -> None:
    data = bytearray(START.encoded)
    data[place // 8] ^= 1 << place % 8
    refuses_or_differs(RunStart.parse, bytes(data), START.encoded)


@given(st.integers(0, 8 * len(RUN.encoded) - 1))
@settings(deadline=None, max_examples=200)
def test_a_flipped_bit_never_gives_an_equal_run(place: int) -> None:
    data = bytearray(RUN.encoded)
    data[place // 8] ^= 1 << place % 8
    refuses_or_differs(Run.parse, bytes(data), RUN.encoded)


WRONG_STARTS: dict[str, dict[str, Any]] = {
    "issuer": {"issuer": "me"},
    "name": {"name": "a run"},
    "no dataset": {"datasets": {}},
    "too many datasets": {"datasets": {f"d{i}": word("d") for i in range(MAX_DATASETS + 1)}},
    "a role that is no name": {"datasets": {"Train": word("d")}},
    "a code origin that is no name": {"code": {"": "x"}},
    "a long code origin": {"code": {"commit": "x" * 257}},
    "too many code origins": {"code": {f"c{i}": "x" for i in range(MAX_CODE + 1)}},
    "no optimiser": {"optimiser": ""},
    "a long sampler": {"sampler": "x" * 65},
    "no initial state": {"initial": ""},
    "a form of state": {"state": "float32/1"},
    "height 0": {"seed_height": 0},
    "height beyond": {"seed_height": MAX_HEIGHT + 1},
}


@pytest.mark.parametrize("name", WRONG_STARTS)
def test_a_wrong_start_cannot_be_made(name: str) -> None:
    with pytest.raises(MalformedError, match=r"start|hex"):
        replace(START, **WRONG_STARTS[name])


WRONG_RUNS: dict[str, dict[str, Any]] = {
    "issuer": {"issuer": "F" * 64},
    "height 0": {"challenge_height": 0},
    "height beyond": {"challenge_height": MAX_HEIGHT + 1},
    "ended before it started": {"ended_at": "2026-01-31T23:59:58Z"},
    "a day that is not": {"started_at": "2026-02-30T00:00:00Z"},
    "an hour that is not": {"started_at": "2026-01-01T24:00:00Z"},
    "a leap second": {"ended_at": "2027-01-01T23:59:60Z"},
    "no zone": {"started_at": "2026-01-31T23:59:59"},
    "an offset": {"started_at": "2026-01-31T23:59:59+00:00"},
    "a fraction": {"started_at": "2026-01-31T23:59:59.0Z"},
    "lower case": {"started_at": "2026-01-31t23:59:59z"},
    "a date": {"started_at": "2026-01-31"},
    "a line end": {"started_at": "2026-01-31T23:59:59Z\n"},
    "no time": {"started_at": ""},
}


@pytest.mark.parametrize("name", WRONG_RUNS)
def test_a_wrong_run_cannot_be_made(name: str) -> None:
    with pytest.raises(MalformedError, match=r"run|hex"):
        replace(RUN, **WRONG_RUNS[name])


def test_a_run_may_end_in_the_second_in_which_it_began() -> None:
    assert replace(RUN, ended_at=RUN.started_at).ended_at == RUN.started_at


@pytest.mark.parametrize(
    ("root", "chunks", "steps"),
    [
        (0, 1, 1),
        (1, 0, 0),
        (1, 1, 0),
        (1, 2, 1),
        (1, 1, CHUNK + 1),
        (1, MAX_CHUNKS + 1, MAX_STEPS),
        (1, -1, 1),
    ],
)
def test_a_transcript_that_contradicts_itself_cannot_be_made(
    root: int, chunks: int, steps: int
) -> None:
    with pytest.raises(MalformedError, match="transcript"):
        Transcript(FieldElement(root), chunks, steps)


def test_the_longest_transcript() -> None:
    assert Transcript(FieldElement(1), MAX_CHUNKS, MAX_STEPS).steps == MAX_CHUNKS * CHUNK


def test_start_and_run_are_never_read_as_each_other() -> None:
    with pytest.raises(MalformedError, match="'kind'"):
        Run.parse(START.encoded)
    with pytest.raises(MalformedError, match="'kind'"):
        RunStart.parse(RUN.encoded)


def test_truth_and_one_are_different_hyperparameters() -> None:
    one, true = (replace(START, hyperparameters={"x": value}) for value in (1, True))
    assert one.digest != true.digest
    whole = replace(START, hyperparameters={"x": 1.0})
    assert RunStart.parse(whole.encoded).digest == whole.digest == one.digest


def test_numbers_that_would_be_read_as_others_are_not_signed() -> None:
    for value in (1e17, 2**53, float("nan"), float("inf")):
        with pytest.raises(MalformedError):
            _ = replace(RUN, metrics={"loss": value}).digest


def test_hyperparameters_come_back_at_any_allowed_depth() -> None:
    value: Any = 1
    for _ in range(60):
        value = [value]
    start = replace(START, hyperparameters={"x": value})
    assert RunStart.parse(start.encoded) == start


@given(STEPS)
@settings(deadline=None)
def test_a_step_comes_back_from_its_record(step: Step) -> None:
    encoded = encode_record(STEP_SCHEMA, step.record)
    assert Step.of(decode_record(STEP_SCHEMA, encoded)) == step


@given(st.data())
@settings(deadline=None)
def test_a_flipped_bit_never_gives_an_equal_step(data: Any) -> None:
    encoded = bytearray(encode_record(STEP_SCHEMA, STEP.record))
    place = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[place // 8] ^= 1 << place % 8
    try:
        found = Step.of(decode_record(STEP_SCHEMA, bytes(encoded)))
    except MalformedError:
        return
    assert found != STEP


WRONG_MEMBERS: list[tuple[str, Value]] = [
    ("number", None),
    ("number", True),
    ("number", "3"),
    ("number", 3.0),
    ("before", None),
    ("after", b"short"),
    ("dataset", "text"),
    ("batch", None),
    ("batch", "abc"),
    ("batch", b"abc"),
    ("batch", 7),
    ("batch", [None]),
    ("batch", [True]),
    ("batch", [1.0]),
    ("features", None),
    ("features", b"\0" * 32),
    ("features", [None]),
    ("features", [b"short"]),
]


@pytest.mark.parametrize(("name", "value"), WRONG_MEMBERS)
def test_a_step_with_a_wrong_member_is_refused(name: str, value: Value) -> None:
    with pytest.raises(MalformedError):
        Step.of({**STEP.record, name: value})
    with pytest.raises(MalformedError):
        Step.of({other: kept for other, kept in STEP.record.items() if other != name})


def test_an_absent_list_is_not_an_empty_one() -> None:
    """Both would mean a step without records: two leaves for one step."""
    empty = replace(STEP, batch=(), features=())
    assert Step.of(empty.record) == empty
    for name in ("batch", "features"):
        data = encode_record(STEP_SCHEMA, {**empty.record, name: None})
        with pytest.raises(MalformedError, match="must be a list"):
            Step.of(decode_record(STEP_SCHEMA, data))


def test_a_state_of_bytes_is_committed_under_its_salt() -> None:
    salt, state = bytes(range(16)), b"weights"
    expected = sha256(b"RL-state" + salt + sha256(state).digest()).digest()
    assert bytes_state(state, salt) == expected
    assert bytes_state(state, bytes(16)) != expected != bytes_state(b"weightt", salt)


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_states_salt_has_16_bytes(size: int) -> None:
    with pytest.raises(MalformedError, match="16 bytes"):
        bytes_state(b"weights", bytes(size))


def test_unknown_members_inside_are_refused() -> None:
    value = json.loads(RUN.encoded)
    value["transcript"]["more"] = 1
    with pytest.raises(MalformedError, match="unknown member 'more'"):
        Run.parse(canonical.encode(value))
