"""A run that claims are about, and the steps of its transcript."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provenance.audit.datasets import Anchored
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.opening import Opening, opened_leaf
from provenance.training import STEP_SCHEMA, Run, RunStart, Step
from provenance.tree import verify_inclusion


@dataclass(frozen=True, slots=True)
class Announced:
    """A published run statement, and the published start that it names."""

    start: RunStart
    run: Run


def run_of(digest: Digest, found: Mapping[Digest, Anchored]) -> Announced:
    """Return the published run statement with this digest, and its start.

    Raises:
        UnavailableError: One of them is not in the evidence, or not shown to be published.
        VerificationError: The digest is another kind of commitment's.
    """
    item = found.get(digest)
    if item is None:
        raise UnavailableError(f"run {digest.hex()[:16]}… is not shown to be published")
    run = item.attestation.commitment
    if not isinstance(run, Run):
        raise VerificationError(f"{digest.hex()[:16]}… is no run")
    start = found.get(run.start)
    if start is None or not isinstance(start.attestation.commitment, RunStart):
        raise UnavailableError(f"the run's start {run.start.hex()[:16]}… is not in the evidence")
    return Announced(start.attestation.commitment, run)


def run_name(digest: Digest, found: Mapping[Digest, Anchored]) -> str | None:
    """Return the name under which a run was announced, None if the evidence does not tell."""
    try:
        return run_of(digest, found).start.name
    except (UnavailableError, VerificationError):
        return None


def transcript_step(run: Run, firsts: Sequence[int], opening: Opening, number: int) -> Step:
    """Return the step that is opened, once it is step `number` of the run's transcript.

    Args:
        run: The run statement.
        firsts: The number of each chunk's first step, by the transcript's verified table.
        opening: The step's record.
        number: Which step it must be.

    Raises:
        MalformedError: The opened bytes are no step.
        VerificationError: It is another step, or does not stand in the transcript.
    """
    leaf, record = opened_leaf(opening, STEP_SCHEMA, None)
    transcript = run.transcript
    verify_inclusion(leaf, opening.path, transcript.root, transcript.chunks)
    step, path = Step.of(record), opening.path
    place = firsts[path.chunk] + path.position
    if not step.number == number == place:
        raise VerificationError(f"step {step.number} was opened where step {number} was wanted")
    return step
