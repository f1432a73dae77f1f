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
    features.json  feature commitments of the records used, if the run was given its files
    <root>.nodes   the transcript's leaves, once it is finished

The run statement lies among the attestations. A script that dies half-way leaves a start without
a run: it is reported as unfinished.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipelines.flow.building import commit_rows
from pipelines.flow.catalogue import Version, chunk_table, find_run, find_version
from pipelines.flow.origin import code_origin, environment_digest
from pipelines.flow.proofs.features import FeatureRows
from pipelines.flow.publishing import await_block, publish_above
from pipelines.flow.recorded import run_folder, write_features
from pipelines.flow.states import integers, model_digest, plain_object, state_bytes
from pipelines.flow.workspace import Workspace
from pipelines.progress import Silent
from provenance.attestation import attest
from provenance.audit.steps import State, record_index
from provenance.canonical import JsonObject, digest
from provenance.errors import MalformedError, UnavailableError
from provenance.field import ORDER, Digest, FieldElement
from provenance.leaf import DatasetKey
from provenance.replay import INITIAL, OPTIMISER, SAMPLER, Plan, plan
from provenance.sgd import rule_of
from provenance.sgd.rule import MODELS, UNIFORM
from provenance.training import STEP_SCHEMA, RunStart, Step, Transcript, bytes_state
from provenance.training import Run as RunStatement
from storage.atomic import make_folder, read_bounded, write_atomic
from storage.readers.datasets import Dataset

EXTERNAL: Final = "external/1"
"""A sampler, optimiser or initial state that no auditor can run again; it caps the claim at L1."""


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
        dataset: The version's files; with them the transcript holds the feature commitment of
            every record of a batch, too.
    """

    def __init__(  # noqa: PLR0913  # what a run declares
        self,
        name: str,
        *,
        train: str,
        hyperparameters: Mapping[str, object],
        space: Workspace | None = None,
        sampler: str = SAMPLER,
        optimiser: str = OPTIMISER,
        initial: str = INITIAL,
        base: Digest | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        self._space = space or Workspace.find(Path.cwd(), os.environ, Silent())
        self._version = find_version(self._space, train)
        self._rules = (sampler, optimiser, initial)
        self._name, self._base, self._dataset = name, base, dataset
        self._hyperparameters = plain_object(hyperparameters)
        _check_rules(self._rules, self._version, self._hyperparameters)
        self._steps: list[Step] = []
        self._batches: list[list[int]] = []
        self._began = _now()

    def __enter__(self) -> Self:
        """Announce the run, wait for the seed's block, and be ready for steps.

        Raises:
            UnavailableError: The ledger could not be reached, or took the start too late; the run
                stays unfinished, and another one can be begun.
        """
        self._table = chunk_table(self._space, self._version)
        self.start = self._announce()
        self.seed = await_block(self._space, self.start.seed_height)
        self._folder = run_folder(self._space, self.start.digest)
        descriptor = os.open(
            self._folder / "steps.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        self._log = os.fdopen(descriptor, "a", encoding="utf-8")
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
        """Record the initial state, before the first step.

        Without it the first step records what the rule zeros/1 says, or for `external/1` that
        nothing is known of it.

        Raises:
            MalformedError: It is recorded already, or is no state of the run's form.
        """
        if hasattr(self, "_initial"):
            raise MalformedError(f"run {self._name}: its initial state is recorded already")
        line, initial = self._commit(state)
        self._write({"batch": [], **line})  # first: what is on no disk can never be opened
        self._initial = initial

    def step(self, batch: Iterable[int], state: object) -> None:
        """Record one step.

        Args:
            batch: Running numbers of the batch's records in the training dataset.
            state: The state after the step: signed integers for a rule that auditors run again,
                else bytes, an array, or a mapping or sequence of arrays.

        Raises:
            MalformedError: No such record, or no state of the run's form; nothing is recorded.
        """
        if not self._steps and not hasattr(self, "_initial"):
            self.begin(self._first_state(state))
        before = self._steps[-1].after if self._steps else self._initial
        numbers = [int(number) for number in batch]
        indexes = tuple(record_index(self._table, number) for number in numbers)
        line, after = self._commit(state)
        dataset = self._version.commitment.digest
        self._write({"batch": numbers, **line})
        self._steps.append(Step(len(self._steps), before, after, dataset, indexes))
        self._batches.append(numbers)

    def finish(self, model: bytes | Path | None, metrics: Mapping[str, object]) -> RunStatement:
        """Register the run: its transcript, its final state, its metrics.

        Args:
            model: The trained model's bytes or its file, of which only the digest is told; or None.
            metrics: Declared values, such as the accuracy on held-out records.

        Raises:
            MalformedError: No step was recorded, or the run is registered already.
            UnavailableError: The statement could not be posted yet: it waits for `publish`.
        """
        if not self._steps:
            raise MalformedError(f"run {self._name}: no step was recorded, nothing to register")
        self._check_open()
        os.fsync(self._log.fileno())
        transcript = self._transcript()
        statement = RunStatement(
            issuer=self._space.issuer.public_key.key_id,
            log=self.start.log,
            start=self.start.digest,
            seed=self.seed,
            transcript=transcript,
            initial=self._initial,
            final=self._steps[-1].after,
            metrics=plain_object(metrics),
            model=model_digest(model),
            started_at=self._began,
            ended_at=_now(),
            challenge_height=1,
        )

        def write(head: int) -> bytes:
            self._check_open()
            told = replace(statement, challenge_height=head + self._space.ledger.margin)
            return attest(told, self._space.issuer).encoded

        item, posted = publish_above(self._space, write)
        if not isinstance(item.commitment, RunStatement):
            raise TypeError(item.name)
        _check_below(self._name, posted.receipt.height, item.commitment.challenge_height)
        await_block(self._space, item.commitment.challenge_height)
        return item.commitment

    def _check_open(self) -> None:
        if find_run(self._space, self.start.digest) is not None:
            raise MalformedError(f"run {self._name} is registered already")

    def _announce(self) -> RunStart:
        sampler, optimiser, initial = self._rules
        commitment = self._version.commitment
        start = RunStart(
            issuer=self._space.issuer.public_key.key_id,
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
            state="fixed14/1" if optimiser in MODELS else "bytes/1",
            seed_height=1,
        )

        def write(head: int) -> bytes:
            told = replace(start, seed_height=head + self._space.ledger.margin)
            folder = run_folder(self._space, told.digest)
            make_folder(folder)
            write_atomic(folder / "key", secrets.token_bytes(32), 0o600)
            write_atomic(folder / "start.json", told.encoded, 0o600)
            return attest(told, self._space.issuer).encoded

        item, posted = publish_above(self._space, write)
        if not isinstance(item.commitment, RunStart):
            raise TypeError(item.name)
        _check_below(self._name, posted.receipt.height, item.commitment.seed_height)
        return item.commitment

    def _first_state(self, state: object) -> object:
        if self._rules[1] in MODELS and self._rules[2] != EXTERNAL:
            return rule_of(*self._rules[1:], self._hyperparameters).initial(self.seed)
        if self._rules[2] == INITIAL:
            return (0,) * len(integers(state))
        if self._rules[2] == EXTERNAL and self.start.state == "bytes/1":
            return b""  # whatever it was: nobody can run the first step again anyhow
        raise MalformedError(f"run {self._name}: call `begin` with the initial state before a step")

    def _commit(self, state: object) -> tuple[JsonObject, Digest]:
        """Return what opens a state, and the commitment to it."""
        if self.start.state == "fixed14/1":
            fixed = State(integers(state), FieldElement(secrets.randbelow(ORDER)))
            return fixed.json, fixed.commitment
        salt, data = secrets.token_bytes(16), state_bytes(state)
        return {"state": digest(data).hex(), "salt": salt.hex()}, bytes_state(data, salt)

    def _write(self, line: JsonObject) -> None:
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()

    def _transcript(self) -> Transcript:
        key = DatasetKey(read_bounded(self._folder / "key", 32))
        records = [step.record for step in self._with_features()]
        root, chunks = commit_rows(self._folder, records, STEP_SCHEMA, key)
        return Transcript(root, len(chunks), len(records))

    def _with_features(self) -> list[Step]:
        """Return the steps with the feature commitments of their batches, if files were given."""
        if self._dataset is None or self._version.commitment.features is None:
            return self._steps
        rows = FeatureRows(self._space, self._version, self._dataset).open(
            {number for batch in self._batches for number in batch}
        )
        found = {number: Digest(row.opening.commitment.encoded) for number, row in rows.items()}
        write_features(self._folder, found)
        return [
            replace(step, features=tuple(found[number] for number in batch))
            for step, batch in zip(self._steps, self._batches, strict=True)
        ]


def _check_below(name: str, height: int, named: int) -> None:
    if height >= named:
        raise UnavailableError(
            f"run {name}: the ledger took its statement in block {height}, not below block {named} "
            "that it names; it shows no order: begin another run"
        )


def _check_rules(
    rules: tuple[str, str, str], version: Version, hyperparameters: JsonObject
) -> None:
    """Check, before anything is announced, that the named rules can be followed and replayed.

    Raises:
        MalformedError: An unknown rule, a missing hyperparameter, or data without features.
    """
    for rule, known in zip(rules, ((SAMPLER,), (*MODELS,), (INITIAL, UNIFORM)), strict=True):
        if rule not in (*known, EXTERNAL):
            raise MalformedError(f"{rule!r} is no rule here: {', '.join(known)}, or {EXTERNAL}")
    if rules[0] == SAMPLER:
        plan(Digest(bytes(32)), version.commitment.records, hyperparameters)
    if rules[1] in MODELS:
        rule_of(rules[1], INITIAL if rules[2] == EXTERNAL else rules[2], hyperparameters)
        spec = version.commitment.features
        if spec is None or spec.label is None:
            raise MalformedError(
                f"{rules[1]} needs a version with features and a label: register "
                f"{version.commitment.label} anew with --features, or use {EXTERNAL}"
            )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
