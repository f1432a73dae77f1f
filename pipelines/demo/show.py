"""The demo: from a real dataset's files to an auditor's verdict, and three frauds refused."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from pipelines.demo import data, flights, frauds, proofs
from pipelines.demo.frauds import Fraud
from pipelines.demo.training import train
from pipelines.flow.auditing import policy_for, verifiers
from pipelines.flow.catalogue import Version, find_version, nodes_of, runs, trusted_keys
from pipelines.flow.exporting import Bundle
from pipelines.flow.monitoring import sign_checkpoint
from pipelines.flow.opening import prove_in_index
from pipelines.flow.publishing import publish
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from pipelines.watching import watch
from provenance.audit import audit
from provenance.errors import VerificationError
from provenance.findings import Level, Outcome
from provenance.membership import MembershipClaim
from provenance.policy import Policy, Requirement
from provenance.proof import Proof
from provenance.training import Run
from storage.atomic import write_atomic
from storage.readers.datasets import Dataset, open_dataset

RUN = "cells-logistic"
LABELS = ("cells@v1", "cells@v2")
SAMPLES = 3


def required(run: str) -> tuple[Requirement, ...]:
    """Return what the demo's policy asks for."""
    return (
        Requirement("log", "*", Level.L1),
        Requirement("dataset", LABELS[0], Level.L1),
        Requirement("dataset", LABELS[1], Level.L1),
        Requirement("unique", LABELS[1], Level.L1),
        Requirement("membership", LABELS[1], Level.L1),
        Requirement("absence", f"{LABELS[1]}[sample]={proofs.ABSENT}", Level.L0),
        Requirement("proved-steps", f"{run}[0..3]", Level.L1),
        Requirement("evaluation", run, Level.L1),
        Requirement("run", run, Level.L1),
        Requirement("order", run, Level.L2),
        Requirement("steps", run, Level.L3),
    )


def free_name(space: Workspace) -> str:
    """Return a run's name that this home has not announced: the demo can be shown again."""
    taken = {start.name for start, _ in runs(space)}
    names = (RUN if number == 1 else f"{RUN}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


@dataclass
class Demo:
    """One showing: where it works, where it talks, and what each step took."""

    space: Workspace
    repository: Path
    console: Console
    run: str
    timings: list[tuple[str, float, str]] = field(default_factory=list)

    @contextmanager
    def step(self, words: str) -> Iterator[list[str]]:
        """Run one step of the demo; what is put into the list stands in its row of the table."""
        size: list[str] = []
        began = time.monotonic()
        with self.console.status(words):
            yield size
        seconds = time.monotonic() - began
        self.timings.append((words, seconds, ", ".join(size)))
        self.console.print(f"[green]✓[/green] {words} [dim]{seconds:.1f} s {' '.join(size)}[/dim]")


@dataclass(frozen=True)
class Proved:
    """What was proved: the claim that a fraud speaks of, and all proofs."""

    membership: MembershipClaim
    proofs: tuple[Proof, ...]


def show(space: Workspace, console: Console) -> Outcome:
    """Return the outcome of the honest audit, once all was shown; every fraud must be refused.

    Raises:
        VerificationError: A fraud was not refused.
        UnavailableError: Something that the demo needs is missing.
    """
    demo = Demo(space, space.home.path.parent / "repository", console, free_name(space))
    with ThreadPoolExecutor(1) as pool:
        keys = pool.submit(proofs.prepare_all, space)
        table = _make(demo)
        _attest(demo)
        _flights(demo)
        version = find_version(space, LABELS[1])
        dataset = _snapshot(space)
        run = _train(demo, dataset, table)
        made = _prove(demo, version, dataset, run, keys)
        bundle, policy = _export(demo, version, dataset, made)
    outcome = _audit(demo)
    for fraud in _frauds(demo, bundle, version, dataset, made.membership):
        _refuse(demo, fraud, policy)
    _table(demo)
    return outcome


def _make(demo: Demo) -> pa.Table:
    with demo.step("a git + DVC repository with two versions of a public dataset") as size:
        table = data.load_table()
        if not demo.repository.exists():
            data.make_repository(demo.repository, table, demo.space.home.environment())
        watch(demo.space.home, data.watched(demo.repository, table))
        size.append(f"{table.num_rows} records")
        return table


def _attest(demo: Demo) -> None:
    from pipelines.running import attest_versions

    with demo.step("Dagster job, both versions: snapshot, commit, attest, post, receipt") as size:
        for label, seconds in attest_versions(demo.space, LABELS):
            size.append(f"{label} {seconds:.1f} s")


def _flights(demo: Demo) -> None:
    with demo.step("336,776 real flights in 12 files, read and reshaped") as size:
        table = flights.load_flights()
        folders = flights.write_versions(demo.space.home.path.parent / flights.NAME, table)
        size.append(f"{table.num_columns} columns, with nulls")
    for number, folder in enumerate(folders, 1):
        again = ", one month corrected: only its chunks are hashed" if number > 1 else ""
        with demo.step(f"flights@2013.{number} committed{again}") as size:
            request = Request(flights.NAME, f"2013.{number}", facts=flights.FACTS)
            made = register(demo.space, open_dataset(folder), request).commitment
            size.append(f"{made.records} records, {made.chunks} chunks, top tree of {made.depth}")
    publish(demo.space)


def _snapshot(space: Workspace) -> Dataset:
    from pipelines.datasets import snapshot_of

    return snapshot_of(space, LABELS[1])


def _train(demo: Demo, dataset: Dataset, table: pa.Table) -> Run:
    with demo.step("a run: announced, seed from a later block, trained, registered") as size:
        run = train(demo.space, demo.run, LABELS[1], data.feature_spec(table), dataset)
        size.append(f"{run.transcript.steps} steps, held-out accuracy {run.metrics['accuracy']}")
        return run


def _prove(
    demo: Demo, version: Version, dataset: Dataset, run: Run, keys: "Future[None]"
) -> Proved:
    with demo.step("keys of four circuits, under an INSECURE SRS of this machine's"):
        keys.result()
    with demo.step("in zero knowledge: some record is in it, which one stays hidden") as size:
        member, proof = proofs.prove_record(demo.space, version)
        size.append(_told([proof]))
    with demo.step(f"in zero knowledge: {proofs.ABSENT!r} is not in it, neighbours hidden") as size:
        _, absent = proofs.prove_without(demo.space, version)
        size.append(_told(absent))
    with demo.step("in zero knowledge: the run's first four steps, from state to state") as size:
        _, steps = proofs.prove_training(demo.space, run, dataset)
        size.append(_told(steps))
    with demo.step("in zero knowledge: how many held-out records the final state gets") as size:
        _, parts = proofs.prove_accuracy(demo.space, run, dataset)
        size.append(_told(parts))
    publish(demo.space)
    return Proved(member, (proof, *absent, *steps, *parts))


def _told(made: Sequence[Proof]) -> str:
    return f"{made[0].circuit}: {len(made)} × {len(made[0].proof)} B"  # noqa: RUF001  # times


def _export(demo: Demo, version: Version, dataset: Dataset, made: Proved) -> tuple[Bundle, Policy]:
    space = demo.space
    with demo.step("a monitor scans the ledger; an evidence bundle is exported") as size:
        keys = trusted_keys(space)
        place = space.genesis.namespace
        _, checkpoint = sign_checkpoint(space.ledger, space.verifier, place, keys, space.monitor)
        policy = policy_for(
            space,
            name="demo auditor",
            require=required(demo.run),
            monitors=(space.monitor.public_key,),
            samples=SAMPLES,
            circuits=proofs.trusted(made.proofs),
            trust_operator=True,
        )
        bundle = _bundle(space, version, dataset, checkpoint)  # its blocks reach to the anchor
        bundle.add_values([proofs.ABSENT])
        sealed = bundle.seal()
        write_atomic(space.home.evidence / "cells.evidence", sealed)
        write_atomic(space.home.evidence / "policy.json", policy.encoded)
        size.append(f"{len(sealed) / 1000:.0f} kB, {len(bundle.members)} members")
    return bundle, policy


def _bundle(space: Workspace, version: Version, dataset: Dataset, checkpoint: bytes) -> Bundle:
    bundle = Bundle(space)
    bundle.add_log([checkpoint])
    bundle.add_blocks()
    bundle.add_records(version, dataset, [0])
    bundle.add_exclusion(prove_in_index(space, version, dataset, 1, "WDBC 003"))
    for label in LABELS:
        commitment = find_version(space, label).commitment
        bundle.add_table(commitment.digest, nodes_of(space, commitment))
    for _, run in runs(space):
        if run is not None:
            bundle.add_steps(run, version, dataset, SAMPLES)
    bundle.add_proofs()
    return bundle


def _audit(demo: Demo) -> Outcome:
    evidence = demo.space.home.evidence
    with demo.step("an auditor, in another process, with the bundle and a policy only") as size:
        done = _auditor(evidence / "cells.evidence", evidence / "policy.json")
        size.append(f"exit code {done.returncode}")
    demo.console.file.write(f"\n{done.stdout or done.stderr}\n")
    return {0: Outcome.HOLDS, 1: Outcome.FAILS}.get(done.returncode, Outcome.UNKNOWN)


def _auditor(bundle: Path, policy: Path) -> "subprocess.CompletedProcess[str]":
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ROOTLINE", "DAGSTER"))}
    command = [sys.executable, "-m", "pipelines.cli", "audit", str(bundle), "--policy", str(policy)]
    return subprocess.run(  # noqa: S603  # our own program
        command, cwd=bundle.parent, env=environ, capture_output=True, text=True, check=False
    )


def _frauds(
    demo: Demo, bundle: Bundle, version: Version, dataset: Dataset, claim: MembershipClaim
) -> Iterator[Fraud]:
    space = demo.space
    scratch = space.home.path.parent / "frauds"

    def again(other: Workspace) -> Bundle:
        rewritten = Bundle(other)
        rewritten.add_log()
        rewritten.add_blocks()
        return rewritten

    yield frauds.changed_record(bundle, space, version, dataset)
    if space.settings is not None:  # what is posted to others' ledger is there for good: no lies
        yield frauds.relinked_blocks(bundle, space)
        return
    yield frauds.rewritten_ledger(space, scratch / "rewritten", again)
    yield frauds.swapped_values(space, scratch / "swapped", version, claim)


def _refuse(demo: Demo, fraud: Fraud, policy: Policy) -> None:
    with demo.step(f"fraud: {fraud.words}") as size:
        verdict = audit(fraud.bundle, policy, verifiers(), time.time_ns())
        reasons = [f for f in verdict.findings if f.outcome is Outcome.FAILS]
        if verdict.outcome is not Outcome.FAILS or not reasons:
            raise VerificationError(f"the fraud {fraud.name!r} was not refused: {verdict.outcome}")
        size.append(f"refused: {reasons[0].claim}")
    demo.console.print(f"  [red]{reasons[0].claim}[/red] {reasons[0].reason}", highlight=False)


def _table(demo: Demo) -> None:
    table = Table("step", "seconds", "size", title="What it took")
    for words, seconds, size in demo.timings:
        table.add_row(words, f"{seconds:.1f}", size)
    table.add_row("in all", f"{sum(seconds for _, seconds, _ in demo.timings):.1f}", "")
    demo.console.print(table)
