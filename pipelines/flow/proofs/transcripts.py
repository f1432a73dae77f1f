"""What a home holds about a run's steps, checked again: transcript, features, and proofs."""

from collections.abc import Sequence

from pipelines.flow.catalogue import chunk_table
from pipelines.flow.opening import Opener
from pipelines.flow.proofs.claiming import MAX_PROOF, proof_path
from pipelines.flow.proofs.features import FeatureRows
from pipelines.flow.proofs.trained import Trained
from pipelines.flow.recorded import run_folder
from pipelines.flow.workspace import Workspace
from provenance.audit.proved_steps import check_shape
from provenance.claim import Claim, StepsStatement
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.expected.steps import StepShape, step_public
from provenance.field import FieldElement
from provenance.proof import Proof, verify_public
from provenance.training import STEP_SCHEMA, Run, Step
from storage.atomic import read_bounded
from storage.nodes import NodeFile
from storage.readers.datasets import Dataset


def transcript_steps(space: Workspace, run: Run) -> list[Step]:
    """Return a run's steps, each shown to stand in its transcript with features of its batch.

    Raises:
        UnavailableError: The transcript holds no feature commitments, or no circuit proves the run.
        VerificationError: What is on disk is not what the transcript's root commits to.
    """
    trained = Trained.of(space, run)
    stored = trained.stored
    steps = stored.steps(chunk_table(space, trained.version))
    if not all(len(step.features) == len(step.batch) for step in steps):
        raise UnavailableError(
            f"{stored.start.name}: its transcript holds no feature commitments: record a run with "
            "`dataset` to have them"
        )
    nodes = NodeFile.find(run_folder(space, run.start), run.transcript.root)
    Opener(nodes, STEP_SCHEMA, None, stored.key).open({s.number: s.record for s in steps})
    return steps


def check_features(space: Workspace, run: Run, dataset: Dataset) -> int:
    """Check that each feature commitment of a transcript stands in the dataset, where it says.

    Returns:
        How many records' features were compared.

    Raises:
        VerificationError: One does not, or the files are not those that were registered.
        UnavailableError: There are none.
    """
    trained, steps = Trained.of(space, run), transcript_steps(space, run)
    used = {number for batch in trained.stored.batches for number in batch}
    rows = FeatureRows(space, trained.version, dataset).open(used)
    for step, batch in zip(steps, trained.stored.batches, strict=True):
        for number, feature in zip(batch, step.features, strict=True):
            if rows[number].opening.commitment.encoded != bytes(feature):
                raise VerificationError(
                    f"step {step.number}: the feature commitment of record {number} is another one"
                )
    return len(rows)


def recheck_steps(space: Workspace, run: Run, claim: Claim) -> tuple[Proof, ...]:
    """Return the proofs of a claim about steps, verified again, all public values compared.

    Raises:
        MalformedError: The claim is about something else, or a proof cannot be read.
        VerificationError: A proof is false, or one of another statement.
        UnavailableError: A proof, an artifact or the prover is missing.
    """
    from circuits.proving.artifacts import FOLDER, verifier_artifacts
    from circuits.proving.verifier import EzklVerifier

    proofs = tuple(
        Proof.parse(read_bounded(proof_path(space, digest.hex()), MAX_PROOF))
        for digest in claim.proofs
    )
    trained = Trained.of(space, run)
    check_shape(trained.stored.start, trained.rule, StepShape.parse(claim.circuit))
    expected = _expected(space, run, claim)
    if len(expected) != len(proofs):
        raise VerificationError(f"{len(proofs)} proofs of {len(expected)} parts")
    for proof, public in zip(proofs, expected, strict=True):
        if proof.circuit != claim.circuit:
            raise VerificationError(f"a proof of {proof.circuit}, not of {claim.circuit}")
        verify_public(proof, public)
    home = space.home.path
    artifacts = {
        digest: data for proof in proofs for digest, data in verifier_artifacts(proof, home).items()
    }
    for error in EzklVerifier(home / FOLDER).verify_many(proofs, artifacts):
        if error is not None:
            raise error
    return proofs


def _expected(space: Workspace, run: Run, claim: Claim) -> list[tuple[FieldElement, ...]]:
    """Return the public values of each part, from the transcript alone."""
    statement, shape = claim.statement, StepShape.parse(claim.circuit)
    if not isinstance(statement, StepsStatement) or statement.run != run.digest:
        raise MalformedError("the claim is not about steps of this run")
    centre = Trained.of(space, run).rule.centre
    end = statement.first + statement.steps
    steps = transcript_steps(space, run)[statement.first : end]
    if len(steps) != statement.steps or statement.steps % shape.unroll:
        raise VerificationError(f"the claim is about {statement.steps} steps, the run has others")
    groups = [steps[n : n + shape.unroll] for n in range(0, len(steps), shape.unroll)]
    return [
        step_public(
            shape, _states(group), [_features(step) for step in group], centre, claim.context(part)
        )
        for part, group in enumerate(groups)
    ]


def _states(steps: Sequence[Step]) -> list[FieldElement]:
    around = [*(step.before for step in steps), steps[-1].after]
    return [FieldElement.decode(state) for state in around]


def _features(step: Step) -> list[FieldElement]:
    return [FieldElement.decode(feature) for feature in step.features]
