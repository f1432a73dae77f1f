"""Recording a training run: announced before it begins, stored step by step, registered at its end.

    with Run("cells-logistic", train="cells@v2", hyperparameters={…}) as run:
        for batch in run.plan.batches:
            weights = train(weights, batch)
            run.step(batch, weights)
        run.finish(model, {"accuracy": 0.96})

On disk, in `runs/<digest of the start>/` (0700):

    start.json     the start's commitment
    key            the transcript's own dataset key
    steps.jsonl    a line a step, flushed as it is made: {"batch":[…],"salt":"…","weights":[…]}
    run.json       the run statement's commitment, once it is finished
    <root>.nodes   the transcript's leaves

A script that dies half-way leaves a start without a run: it is reported as unfinished.
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipelines.flow.catalogue import Version, chunk_table, find_version
from pipelines.flow.origin import code_origin, environment_digest
from pipelines.flow.publishing import publish, queue
from pipelines.flow.registering import commit_records
from pipelines.flow.workspace import Workspace
from pipelines.progress import Silent
from provenance import canonical
from provenance.attestation import attest
from provenance.audit.steps import State, record_index
from provenance.canonical import Fields, Json, JsonObject, digest
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.field import ORDER, Digest, FieldElement
from provenance.leaf import DatasetKey
from provenance.replay import INITIAL, OPTIMISER, SAMPLER, Plan, plan
from provenance.training import STEP_SCHEMA, RunStart, Step, Transcript, bytes_state
from provenance.training import Run as RunStatement
from storage.atomic import read_bounded, write_atomic

EXTERNAL: Final = "external/1"
"""A sampler, optimiser or initial state that no auditor can run again; it caps the claim at L1."""
MAX_STEPS_FILE: Final = 2**32
AHEAD: Final = 3
"""Blocks between the ledger's head and a named future height, so that the start lands below it."""


class Run:
    """One run of training, from its announcement to its registration.

    Args:
        name: The run's name.
        train: The dataset version it trains on, name@version.
        hyperparameters: Declared values; rules that an auditor can run again read them too.
        space: The workspace; by default the one found from here.
        sampler: Named rule that gives batches from the seed, or `external/1`.
        optimiser: Named rule of a step, or `external/1`.
        initial: Named rule of the first state, or `external/1`.
        base: Digest of the base model's run statement, if there is one.
    """

    def __init__(
        self,
        name: str,
        *,
        train: str,
        hyperparameters: Mapping[str, Json],
        space: Workspace | None = None,
        sampler: str = SAMPLER,
        optimiser: str = OPTIMISER,
        initial: str = INITIAL,
        base: Digest | None = None,
    ) -> None:
        self._space = space or Workspace.find(Path.cwd(), os.environ, Silent())
        self._version = find_version(self._space, train)
        self._rules = (sampler, optimiser, initial)
        self._name, self._base = name, base
        self._hyperparameters: JsonObject = dict(hyperparameters)
        self._steps: list[Step] = []
        self._began = _now()
        self._finished = False

    def __enter__(self) -> Self:
        """Announce the run, wait for the seed's block, and be ready for steps."""
        self.start = self._announce()
        header = _await_block(self._space, self.start.seed_height)
        self.seed = header
        self._table = chunk_table(self._space, self._version)
        self._folder = run_folder(self._space, self.start.digest)
        self._log = (self._folder / "steps.jsonl").open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files; without `finish` the run stays unfinished, and is reported so."""
        self._log.close()

    @property
    def plan(self) -> Plan:
        """Which records the sampler holds out and gives to each step, by running number."""
        if self._rules[0] != SAMPLER:
            raise MalformedError(f"sampler {self._rules[0]} has no plan; choose batches yourself")
        return plan(self.seed, self._version.commitment.records, self._hyperparameters)

    def begin(self, state: object) -> None:
        """Record the initial state; by rule zeros/1 it is recorded by the first step unasked."""
        self._initial = self._commit(state)

    def step(self, batch: Sequence[int], state: object) -> None:
        """Record one step.

        Args:
            batch: Running numbers of the batch's records in the training dataset.
            state: The state after the step: signed integers for a rule that auditors run again,
                else bytes, an array, or a mapping or sequence of arrays.
        """
        if not self._steps and not hasattr(self, "_initial"):
            self.begin(self._first_state(state))
        before = self._steps[-1].after if self._steps else self._initial
        indexes = tuple(record_index(self._table, number) for number in batch)
        after = self._commit(state, batch)
        self._steps.append(
            Step(len(self._steps), before, after, self._version.commitment.digest, indexes)
        )

    def finish(self, model: bytes | None, metrics: Mapping[str, Json]) -> RunStatement:
        """Register the run: its transcript, its final state, its metrics.

        Args:
            model: The trained model's bytes, of which only the digest is told; or None.
            metrics: Declared values, such as the accuracy on held-out records.

        Raises:
            MalformedError: No step was recorded, or the run is finished already.
        """
        if not self._steps or self._finished:
            raise MalformedError(f"run {self._name}: nothing to register, or registered already")
        self._log.flush()
        os.fsync(self._log.fileno())
        transcript = self._transcript()
        statement = RunStatement(
            issuer=self.start.issuer,
            log=self.start.log,
            start=self.start.digest,
            seed=self.seed,
            transcript=transcript,
            initial=self._initial,
            final=self._steps[-1].after,
            metrics=dict(metrics),
            model=digest(model) if model is not None else None,
            started_at=self._began,
            ended_at=_now(),
            challenge_height=self._space.ledger.head() + AHEAD,
        )
        write_atomic(self._folder / "run.json", statement.encoded, 0o600)
        queue(self._space, attest(statement, self._space.issuer).encoded)
        publish(self._space)
        _await_block(self._space, statement.challenge_height)
        self._finished = True
        return statement

    def _announce(self) -> RunStart:
        sampler, optimiser, initial = self._rules
        commitment = self._version.commitment
        start = RunStart(
            issuer=commitment.issuer,
            log=commitment.log,
            name=self._name,
            datasets={"train": commitment.digest},
            base=self._base,
            code=code_origin(Path.cwd()),
            environment=environment_digest(),
            hyperparameters=self._hyperparameters,
            optimiser=optimiser,
            sampler=sampler,
            initial=initial,
            state="fixed14/1" if optimiser == OPTIMISER else "bytes/1",
            seed_height=self._space.ledger.head() + AHEAD,
        )
        folder = run_folder(self._space, start.digest)
        folder.mkdir(mode=0o700, exist_ok=True)
        write_atomic(folder / "key", secrets.token_bytes(32), 0o600)
        write_atomic(folder / "start.json", start.encoded, 0o600)
        queue(self._space, attest(start, self._space.issuer).encoded)
        publish(self._space)
        return start

    def _first_state(self, state: object) -> object:
        if self._rules[2] == INITIAL:
            return (0,) * len(_integers(state))
        raise MalformedError(f"run {self._name}: call `begin` with the initial state before a step")

    def _commit(self, state: object, batch: Sequence[int] = ()) -> Digest:
        """Return the commitment to a state, once what opens it is on disk."""
        line: dict[str, Json] = {"batch": [int(number) for number in batch]}
        if self.start.state == "fixed14/1":
            fixed = State(_integers(state), FieldElement(secrets.randbelow(ORDER)))
            line |= {"weights": list(fixed.weights), "salt": fixed.salt.hex}
            found = fixed.commitment
        else:
            salt, data = secrets.token_bytes(16), state_bytes(state)
            line |= {"state": digest(data).hex(), "salt": salt.hex()}
            found = bytes_state(data, salt)
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()
        return found

    def _transcript(self) -> Transcript:
        key = DatasetKey(read_bounded(self._folder / "key", 32))
        records = [step.record for step in self._steps]
        batches = [records[i : i + 1024] for i in range(0, len(records), 1024)]
        root, chunks = commit_records(self._folder, batches, STEP_SCHEMA, key, None)
        return Transcript(root, len(chunks), len(records))


@dataclass(frozen=True, slots=True)
class Stored:
    """What opens a recorded run: its states in order, the initial one first."""

    start: RunStart
    run: RunStatement
    states: tuple[State, ...]
    batches: tuple[tuple[int, ...], ...]
    key: DatasetKey


def stored_run(space: Workspace, start: Digest) -> Stored:
    """Return a finished run as it was recorded.

    Raises:
        MalformedError: It is not finished, or its states are not of a form that can be opened.
    """
    folder = run_folder(space, start)
    lines = list(_lines(folder / "steps.jsonl"))
    return Stored(
        RunStart.parse(read_bounded(folder / "start.json", 2**24)),
        RunStatement.parse(read_bounded(folder / "run.json", 2**24)),
        tuple(state for _, state in lines),
        tuple(batch for batch, _ in lines[1:]),
        DatasetKey(read_bounded(folder / "key", 32)),
    )


def run_folder(space: Workspace, start: Digest) -> Path:
    """Return where a run is recorded."""
    return space.home.runs / start.hex()


def state_bytes(state: object) -> bytes:
    """Return a state's canonical bytes: bytes as they are, arrays with their type and shape.

    Raises:
        MalformedError: Neither bytes, an array, nor a mapping or sequence of arrays.
    """
    if isinstance(state, bytes):
        return state
    if isinstance(state, Mapping):
        return b"".join(_framed(str(k).encode(), state_bytes(state[k])) for k in sorted(state))
    if hasattr(state, "__array__"):
        import numpy as np

        array = np.ascontiguousarray(state)
        if array.dtype.hasobject:
            raise MalformedError("a state is made of numbers, not of Python objects")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return _framed(f"{array.dtype.str} {array.shape}".encode(), array.tobytes())
    if isinstance(state, Sequence) and not isinstance(state, str):
        return b"".join(_framed(b"", state_bytes(item)) for item in state)
    raise MalformedError(f"a state is bytes or arrays, not {type(state).__name__}")


def _framed(label: bytes, data: bytes) -> bytes:
    return len(label).to_bytes(4, "big") + label + len(data).to_bytes(8, "big") + data


def _integers(state: object) -> tuple[int, ...]:
    if not isinstance(state, Iterable):
        raise MalformedError("a state of form fixed14/1 is a sequence of integers")
    values: list[Any] = list(state)
    if any(int(value) != value for value in values):
        raise MalformedError("a state of form fixed14/1 is a sequence of integers")
    return tuple(int(value) for value in values)


def _lines(path: Path) -> Iterator[tuple[tuple[int, ...], State]]:
    for line in read_bounded(path, MAX_STEPS_FILE).splitlines():
        fields = Fields.of(canonical.decode_loose(line), path.name)
        batch = tuple(n for n in fields.items("batch", CHUNK) if isinstance(n, int))
        yield batch, State.of(fields)


def _await_block(space: Workspace, height: int) -> Digest:
    """Return the hash of a block, once the ledger has it; the embedded ledger makes it."""
    ledger = space.ledger
    while ledger.head() < height:
        ledger.advance()
    return space.verifier.signed_block(ledger.header(height)).hash


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["EXTERNAL", "Run", "Stored", "Version", "run_folder", "state_bytes", "stored_run"]
