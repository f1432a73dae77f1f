"""Claims with zero-knowledge proofs about what a home registered, from its own files."""

from collections.abc import Callable

import pytest

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.opening import Opener
from pipelines.flow.proofs.absence import prove_absence
from pipelines.flow.proofs.features import FeatureRows
from pipelines.flow.proofs.steps import prove_steps
from pipelines.flow.recorded import run_folder, stored_run
from pipelines.flow.recording import Run
from pipelines.flow.workspace import Workspace
from provenance.claim import Claim
from provenance.errors import MalformedError, VerificationError
from provenance.expected.steps import StepShape, step_public
from provenance.features import digits
from provenance.field import FieldElement
from provenance.opening import verify_features
from provenance.replay import Logistic
from provenance.training import STEP_SCHEMA
from provenance.training import Run as RunStatement
from storage.nodes import NodeFile
from tests.pipelines.flow.conftest import SPEC, table
from tests.pipelines.flow.test_recording import PARAMETERS

Add = Callable[[str, int], Version]


def trained(space: Workspace, train: str = "rows@v1") -> RunStatement:
    """Train as an auditor would replay it, with feature commitments in the transcript."""
    optimiser, dataset = Logistic.of(PARAMETERS), table(40)
    records = list(dataset.records())
    weights = optimiser.initial
    with Run("fit", train=train, hyperparameters=PARAMETERS, space=space, dataset=dataset) as run:
        for batch in run.plan.batches:
            rows = [[int(str(records[n][f.name])) for f in SPEC.all] for n in batch]
            weights = optimiser.step(weights, rows)
            run.step(batch, weights)
        return run.finish(b"model", {})


def test_rows_are_those_that_stand_in_the_dataset(space: Workspace, add: Add) -> None:
    version = add("v1", 40)
    rows = FeatureRows(space, version, table(40)).open([0, 7, 39])
    records = list(table(40).records())
    for number, row in rows.items():
        verify_features(row.opening, version.commitment)
        assert row.index == number
        assert row.digits == digits(SPEC, records[number])


def test_rows_of_other_files_are_refused(space: Workspace, add: Add) -> None:
    version = add("v1", 40)
    with pytest.raises(VerificationError, match="does not hold the records of rows@v1"):
        FeatureRows(space, version, table(40, first=1)).open([3])


def test_a_transcript_holds_the_feature_commitments_of_its_batches(
    space: Workspace, add: Add
) -> None:
    version = add("v1", 40)
    run = trained(space)
    stored = stored_run(space, run.start)
    steps = stored.steps(nodes_of(space, version.commitment).chunks)
    rows = FeatureRows(space, version, table(40)).open({n for b in stored.batches for n in b})
    for step, batch in zip(steps, stored.batches, strict=True):
        wanted = [rows[number].opening.commitment.encoded for number in batch]
        assert [bytes(feature) for feature in step.features] == wanted
    nodes = NodeFile.find(run_folder(space, run.start), run.transcript.root)
    opens = Opener(nodes, STEP_SCHEMA, None, stored.key)
    opens.open({step.number: step.record for step in steps})


def test_steps_that_a_run_does_not_have_are_refused(space: Workspace, add: Add) -> None:
    add("v1", 40)
    run = trained(space)
    with pytest.raises(MalformedError, match="has steps 0 to 15"):
        prove_steps(space, run, table(40), first=14, steps=4)
    with pytest.raises(MalformedError, match="groups of 4"):
        prove_steps(space, run, table(40), steps=6)


def test_absence_of_what_is_present_is_not_proved(space: Workspace, add: Add) -> None:
    version = add("v1", 40)
    with pytest.raises(VerificationError, match="'ROW 3' is in the index"):
        prove_absence(space, version, 1, ["row 99", "ROW 3"])


@pytest.mark.slow
def test_steps_of_a_run_are_proved_from_its_own_transcript(space: Workspace, add: Add) -> None:
    version = add("v1", 40)
    run = trained(space)
    item, proofs = prove_steps(space, run, table(40), first=2, steps=4, unroll=2)
    claim = item.commitment
    assert isinstance(claim, Claim)
    stored = stored_run(space, run.start)
    rows = FeatureRows(space, version, table(40)).open({n for b in stored.batches for n in b})
    for part, proof in enumerate(proofs):
        first = 2 + 2 * part
        expected = step_public(
            StepShape.parse(claim.circuit),
            [FieldElement.decode(s.commitment) for s in stored.states[first : first + 3]],
            [[rows[n].opening.commitment for n in b] for b in stored.batches[first : first + 2]],
            [0, 0],
            claim.context(part),
        )
        assert proof.public == expected
        assert proof.digest == claim.proofs[part]
