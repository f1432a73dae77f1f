"""Proofs against ezkl's own forms and the goals, in one run; `--all` with the peer that needs 8 GB.

    python -m benchmarks.proofs [--all] [--only NAME …]

Each figure is of one process that starts, reads keys and witness, proves once and ends, on one
thread: processor seconds, and MB at the peak. Keys are made first and not counted, nor is `mock`,
which the product runs before every proof; both stand in columns of their own. What the product adds
(solving for hints, the graph's own evaluation, verifying what was made) is not in these figures.
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import ezkl_forms
from benchmarks.ezkl_steps import HOME, StepError, Taken, proof_bytes, run
from benchmarks.honest import solved
from benchmarks.measuring import show
from circuits.evaluate import public_values
from circuits.proving.artifacts import adopt_srs, verifier_artifacts
from circuits.proving.ezkl_prover import EzklProver
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import Limits
from circuits.registry import circuit
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance.errors import ProvenanceError

LINEAR: Final = "step-linear-64x32-r2.v1"
LOGISTIC: Final = "step-logistic-64x32-r1.v1"
HIDDEN: Final = "step-mlp16to4-64x32-r3.v1"
SINGLE: Final = "step-linear-16x8-r2.v1"
UNROLLED: Final = "step-linear-16x8-u4-r2.v1"
SHALLOW: Final = "membership-22.v2"
DEEP: Final = "membership-32.v2"
ABSENT: Final = "exclusion-40.v1"
OURS: Final = (LINEAR, LOGISTIC, HIDDEN, SINGLE, UNROLLED, SHALLOW, DEEP, ABSENT)
HASHED: Final = "linear 64x32, hashed"
POLYCOMMIT: Final = "linear 64x32, polycommit"
BATCH: Final = 20
MANY: Final = f"{BATCH} x {LINEAR} verified"


@dataclass(frozen=True, slots=True)
class Measured:
    """One proof: what it took, and how large a circuit it is of."""

    size: str
    keys: float
    mock: float
    prove: Taken
    proof_bytes: int
    verify_ms: float

    @property
    def row(self) -> tuple[object, ...]:
        """The figures as a table shows them."""
        figures = (self.keys, self.mock, self.prove.cpu)
        rounded = (f"{seconds:.2f}" for seconds in figures)
        peak, verified = f"{self.prove.peak:,.0f}", f"{self.verify_ms:.1f}"
        return (self.size, *rounded, peak, f"{self.proof_bytes:,}", verified)


Found = Mapping[str, Measured]
Value = Callable[[Found], float]


@dataclass(frozen=True, slots=True)
class Goal:
    """A line of the table that proving must reach."""

    job: str
    unit: str
    most: float
    value: Value


def _cpu(name: str) -> Value:
    return lambda found: found[name].prove.cpu


def _peak(name: str) -> Value:
    return lambda found: found[name].prove.peak


def _bytes(name: str) -> Value:
    return lambda found: found[name].proof_bytes


def _verify(name: str) -> Value:
    return lambda found: found[name].verify_ms


def _ratio(name: str, peer: str, times: int = 1) -> Value:
    return lambda found: found[name].prove.cpu / (times * found[peer].prove.cpu)


GOALS: Final = (
    Goal("linear 64x32 / ezkl `hashed`", "", 0.15, _ratio(LINEAR, HASHED)),
    Goal("linear 64x32 / ezkl `polycommit`", "", 1.0, _ratio(LINEAR, POLYCOMMIT)),
    Goal("linear 64x32", "MB", 400, _peak(LINEAR)),
    Goal("membership 22", "CPU-s", 4, _cpu(SHALLOW)),
    Goal("membership 22", "MB", 200, _peak(SHALLOW)),
    Goal("membership 22", "B", 2600, _bytes(SHALLOW)),
    Goal("membership 22", "ms", 20, _verify(SHALLOW)),
    Goal("membership 32", "CPU-s", 5, _cpu(DEEP)),
    Goal("membership 32", "MB", 200, _peak(DEEP)),
    Goal("membership 32", "B", 2600, _bytes(DEEP)),
    Goal("membership 32", "ms", 20, _verify(DEEP)),
    Goal("exclusion 40", "CPU-s", 5, _cpu(ABSENT)),
    Goal("exclusion 40", "B", 2600, _bytes(ABSENT)),
    Goal("exclusion 40", "ms", 20, _verify(ABSENT)),
    Goal("logistic 64x32 / linear", "", 1.3, _ratio(LOGISTIC, LINEAR)),
    Goal("MLP 32-16-4 / ezkl `hashed`", "", 0.25, _ratio(HIDDEN, ezkl_forms.LARGE)),
    Goal("MLP 32-16-4", "MB", 2000, _peak(HIDDEN)),
    Goal("four steps 16x8 in one / four single", "", 0.4, _ratio(UNROLLED, SINGLE, 4)),
    Goal(f"{BATCH} step proofs verified", "CPU-s", 0.5, _cpu(MANY)),
)


def ours(name: str, folder: Path) -> Measured:
    """Return what a proof of one of our circuits takes.

    Raises:
        ProvenanceError: There is no such circuit, or no statement for it.
        StepError: ezkl failed.
    """
    chosen = circuit(name)
    write(chosen, solved(chosen), folder)
    if chosen.cells:
        (folder / "cells.json").write_text(str(chosen.cells))
    return _measured(folder, chosen.logrows, "setup", "mock")


def peer(name: str, folder: Path) -> Measured:
    """Return what a proof of one of ezkl's own forms takes."""
    form = ezkl_forms.FORMS[name]
    ezkl_forms.write(form, folder)
    return _measured(folder, form.logrows, "setup", "witness", "mock")


def write(chosen: Circuit, witness: Solved, folder: Path) -> None:
    """Write a circuit and a witness as ezkl reads them."""
    hashes = [_hex(value) for value in public_values(witness.outputs, hashed=True)]
    document = {
        "inputs": [[_hex(value) for value in row] for row in witness.witness.values()],
        "outputs": [[_hex(value) for value in row] for row in witness.outputs],
        "processed_outputs": {"poseidon_hash": hashes} if chosen.hashed else None,
        **dict.fromkeys(("version", "pretty_elements", "processed_inputs", "processed_params")),
        **dict.fromkeys(("max_lookup_inputs", "min_lookup_inputs", "max_range_size"), 0),
    }
    (folder / "network.onnx").write_bytes(chosen.onnx())
    (folder / "arguments.json").write_text(json.dumps(chosen.run_arguments))
    (folder / "witness.json").write_text(json.dumps(document))


def _hex(value: int) -> str:
    return int(value).to_bytes(32, "little").hex()


def _measured(folder: Path, logrows: int, *before: str) -> Measured:
    """Run all steps in a folder; keys are settings, compiled circuit and setup together."""
    taken = {step: run(step, folder, logrows) for step in ("settings", "compile", *before)}
    proved, verified = (run(step, folder, logrows) for step in ("prove", "verify"))
    settings = json.loads((folder / "settings.json").read_bytes())
    return Measured(
        size=f"2^{logrows} x {settings['run_args']['num_inner_cols']}",
        keys=sum(taken[step].cpu for step in ("settings", "compile", "setup")),
        mock=taken["mock"].cpu,
        prove=proved,
        proof_bytes=proof_bytes(folder),
        verify_ms=float(verified.said),
    )


def many(name: str, folder: Path) -> Measured:
    """Return what an auditor's verification of many proofs takes, its process with it.

    One proof, made the product's way, is verified so often: each anew, as different ones are.
    """
    chosen = circuit(name)
    adopt_srs(folder, (HOME / f"k{chosen.logrows}.srs").read_bytes())
    proof = EzklProver(folder, limits=Limits(threads=1)).prove(chosen, solved(chosen))
    artifacts = verifier_artifacts(proof, folder)
    before, start = _children(), time.perf_counter()
    answers = EzklVerifier(folder).verify_many([proof] * BATCH, artifacts)
    wall, cpu = time.perf_counter() - start, _children() - before
    assert not any(answers), answers
    return Measured(
        size=f"2^{chosen.logrows} x {chosen.columns}",
        keys=0.0,
        mock=0.0,
        prove=Taken(cpu, 0.0, ""),
        proof_bytes=BATCH * len(proof.proof),
        verify_ms=1e3 * wall,
    )


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def jobs(*, everything: bool) -> Iterator[tuple[str, Callable[[str, Path], Measured]]]:
    """Yield what is measured: peers and ours in turns, so that both see one machine."""
    peers = [name for name in ezkl_forms.FORMS if everything or name != ezkl_forms.LARGE]
    for name in OURS:
        yield name, ours
        if peers:
            yield peers.pop(0), peer
    yield from ((name, peer) for name in peers)
    yield MANY, lambda _, folder: many(LINEAR, folder)


def measure(only: Sequence[str], *, everything: bool) -> tuple[dict[str, Measured], dict[str, str]]:
    """Return what was measured, and why something was not."""
    found, missing = {}, {}
    for name, work in jobs(everything=everything):
        if only and name not in only:
            continue
        HOME.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=HOME))
        try:
            found[name] = work(name, folder)
            print(name, *found[name].row, flush=True)
        except (ProvenanceError, StepError, ImportError) as error:
            missing[name] = str(error)
            print(name, "MISSING:", error, flush=True)
        finally:
            shutil.rmtree(folder)
    return found, missing


def judged(found: Found) -> Iterator[tuple[object, ...]]:
    """Yield job, goal, what was measured, and whether that is enough."""
    for goal in GOALS:
        wanted = f"≤ {goal.most:g} {goal.unit}"
        try:
            value = goal.value(found)
        except KeyError as absent:
            yield goal.job, wanted, f"not measured: {absent}", "", "open"
            continue
        reached = "reached" if value <= goal.most else "MISSED"
        yield goal.job, wanted, f"{value:,.3g} {goal.unit}", f"{value / goal.most:.2f}", reached


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--all", action="store_true", help="the peer that needs 8 GB, too")
    asked.add_argument("--only", nargs="+", default=(), help="these alone, by name")
    options = asked.parse_args()
    found, missing = measure(options.only, everything=options.all)
    columns = ("proof", "rows", "keys, s", "mock, s", "prove, s", "MB", "bytes", "verify, ms")
    show("Processor seconds, one thread", columns, [(name, *m.row) for name, m in found.items()])
    if missing:
        show("Not measured", ("proof", "why"), list(missing.items()))
    show("Goals", ("job", "goal", "measured", "of the goal", ""), judged(found))


if __name__ == "__main__":
    main()
