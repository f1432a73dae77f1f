"""Claims about what functions and trained models give, computed from a home's own files."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.flow.catalogue import Version, attestations
from pipelines.flow.proofs.claiming import Proving, function_path
from pipelines.flow.proofs.evaluation import held_out, prove_evaluation
from pipelines.flow.proofs.features import FeatureRows
from pipelines.flow.proofs.inference import prove_inference, prove_open_inference
from pipelines.flow.proofs.properties import prove_property, prove_state_property
from pipelines.flow.proofs.trained import Trained, provable_runs, registered_run
from pipelines.flow.recording import Run
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.claim import (
    Claim,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
)
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.expected.functions import PropertyShape, property_public
from provenance.expected.models import ModelShape, evaluation_public, inference_public
from provenance.features import FeatureField, FeatureSpec
from provenance.field import FieldElement
from provenance.replay import Logistic, plan
from provenance.training import Run as RunStatement
from tests.pipelines.flow.conftest import INDEXES, SPEC, table
from tests.pipelines.flow.test_proofs import trained
from tests.pipelines.flow.test_recording import PARAMETERS, external

pytest.importorskip("onnx")

from circuits.functions.examples import mean_of_field, sum_of_squares

Add = Callable[[str, int], Version]
MODEL = Logistic.of(PARAMETERS)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunStatement]:
    """A home in which a model was trained, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.flow.workspace.use", lambda _: None)
        space = Workspace.create(tmp_path_factory.mktemp("trained") / ".rootline")
    register(space, table(40), Request("rows", "v1", INDEXES, SPEC))
    return space.home.path, trained(space)


@pytest.fixture
def run(space: Workspace, original: tuple[Path, RunStatement]) -> RunStatement:
    """The run; the test's own home becomes a copy of the one in which it took place."""
    home, made = original
    shutil.rmtree(space.home.path)
    shutil.copytree(home, space.home.path)
    return made


def values(numbers: Sequence[int]) -> list[list[int]]:
    """Return what the dataset holds, read without the code under test."""
    records = list(table(40).records())
    return [[int(str(records[n][field.name])) for field in SPEC.all] for n in numbers]


def claimed(item: Attestation) -> Claim:
    assert isinstance(item.commitment, Claim)
    return item.commitment


def test_a_run_is_found_by_its_name_or_its_start(space: Workspace, run: RunStatement) -> None:
    assert registered_run(space, "fit") == run
    assert registered_run(space, run.start.hex()[:8]) == run
    assert provable_runs(space) == ("fit",)
    for name in ("other", run.start.hex()[:7], ""):
        with pytest.raises(UnavailableError, match="rootline run list"):
            registered_run(space, name)


def test_a_name_that_two_runs_share_is_not_enough(space: Workspace, run: RunStatement) -> None:
    other = trained(space)
    with pytest.raises(MalformedError, match="2 runs are called 'fit'") as told:
        registered_run(space, "fit")
    assert run.start.hex()[:16] in str(told.value)
    assert set(provable_runs(space)) == {r.start.hex()[:16] for r in (run, other)}
    assert registered_run(space, other.start.hex()[:16]) == other


def test_an_unfinished_run_has_nothing_to_prove(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with Run("begun", train="rows@v1", hyperparameters=PARAMETERS, space=space):
        pass
    with pytest.raises(MalformedError, match="is unfinished"):
        registered_run(space, "begun")
    assert provable_runs(space) == ()


def test_a_run_by_no_rule_is_refused_before_anything_is_proved(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with external("outside", space) as recorded:
        recorded.step([0], b"state")
        made = recorded.finish(b"model", {})
    with pytest.raises(UnavailableError, match="no circuit proves external/1"):
        prove_evaluation(space, made, table(40))


def test_held_out_records_are_those_of_the_seed(space: Workspace, run: RunStatement) -> None:
    found = Trained.of(space, run)
    expected = plan(run.seed, 40, PARAMETERS).held_out
    assert held_out(found, found.version) == expected
    assert len(expected) == 8
    batches = found.stored.batches
    assert not set(expected) & {number for batch in batches for number in batch}


def test_another_version_holds_nothing_out(space: Workspace, run: RunStatement, add: Add) -> None:
    version = add("v2", 30)
    with pytest.raises(MalformedError, match="name some"):
        prove_evaluation(space, run, table(30), version=version)


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec((FeatureField("b", 0), FeatureField("a", 0)), FeatureField("label", 0)),
        FeatureSpec((FeatureField("a", 1), FeatureField("b", 0)), FeatureField("label", 0)),
        FeatureSpec((FeatureField("a", 0), FeatureField("b", 0)), FeatureField("label", 1)),
        None,
    ],
    ids=["order", "scale", "label", "none"],
)
def test_a_version_with_other_features_is_refused(
    space: Workspace, run: RunStatement, spec: FeatureSpec | None
) -> None:
    version = register(space, table(40), Request("others", "v1", (), spec))
    with pytest.raises(MalformedError, match=r"other features|another label"):
        prove_evaluation(space, run, table(40), [1], version=version)
    with pytest.raises(MalformedError, match=r"other features|another label"):
        prove_inference(space, run, table(40), [1], version=version)


def test_a_version_without_labels_can_be_asked_and_not_evaluated(
    space: Workspace, run: RunStatement
) -> None:
    spec = replace(SPEC, label=None)
    version = register(space, table(40), Request("others", "v1", (), spec))
    found = Trained.of(space, run)
    assert found.asked(version, labelled=False) == version
    with pytest.raises(MalformedError, match="another label"):
        found.asked(version)


def test_records_that_are_not_there_are_refused(space: Workspace, run: RunStatement) -> None:
    with pytest.raises(MalformedError, match="has no record 40"):
        prove_evaluation(space, run, table(40), [39, 40])
    with pytest.raises(MalformedError, match="no records"):
        prove_evaluation(space, run, table(40), [])
    with pytest.raises(VerificationError, match="does not hold the records"):
        prove_evaluation(space, run, table(40, first=1))


@pytest.mark.parametrize("rows", [[[1]], [[1, 2, 3]], [[8187, 0]], [[-8190, 0]], []])
def test_open_inputs_that_no_circuit_takes_are_refused(
    space: Workspace, run: RunStatement, rows: list[list[int]]
) -> None:
    with pytest.raises(MalformedError):
        prove_open_inference(space, run, rows)


def test_inferences_come_in_full_parts(space: Workspace, run: RunStatement) -> None:
    with pytest.raises(MalformedError, match="3 inputs do not come in parts of 2"):
        prove_open_inference(space, run, [[0, 0]] * 3, rows=2)


@pytest.mark.parametrize(
    ("function", "numbers", "words"),
    [
        (b"nonsense", [0], "no ONNX"),
        (mean_of_field(4, 3, 0), [0, 1, 2], "4 records at a time"),
        (mean_of_field(4, 3, 0), [], "4 records at a time"),
        (mean_of_field(4, 9, 0), [0, 1, 2, 3], "takes 9 digits a record"),
        (mean_of_field(4, 3, 0), [0, 1, 2, 40], "has no record 40"),
        (sum_of_squares(3), [0], "one of a state"),
    ],
)
def test_functions_and_records_that_do_not_fit_are_refused(
    space: Workspace, add: Add, function: bytes, numbers: list[int], words: str
) -> None:
    with pytest.raises(MalformedError, match=words):
        prove_property(space, add("v1", 40), table(40), function, numbers)
    assert not list(space.home.evidence.glob("*.function.onnx"))


def test_functions_and_states_that_do_not_fit_are_refused(
    space: Workspace, run: RunStatement
) -> None:
    with pytest.raises(MalformedError, match="one of records"):
        prove_state_property(space, run, "final", mean_of_field(4, 3, 0))
    with pytest.raises(MalformedError, match="takes 4 weights"):
        prove_state_property(space, run, "final", sum_of_squares(4))
    with pytest.raises(MalformedError, match="state is one of"):
        prove_state_property(space, run, "middle", sum_of_squares(3))


def test_a_file_that_is_no_srs_is_refused_before_anything_is_signed(
    space: Workspace, run: RunStatement
) -> None:
    path = space.home.path / "file"
    path.write_bytes(bytes(1000))
    begun: list[int] = []
    how = Proving(path, lambda _, proofs: begun.append(proofs))
    with pytest.raises(MalformedError, match="not an SRS file"):
        prove_open_inference(space, run, [[0, 0]], how=how)
    assert not begun
    assert not any(isinstance(item.commitment, Claim) for item in attestations(space))


@pytest.mark.slow
def test_an_evaluation_is_proved_in_parts_the_last_one_padded(
    space: Workspace, run: RunStatement
) -> None:
    begun: list[tuple[str, int]] = []
    how = Proving(begins=lambda circuit, proofs: begun.append((circuit.name, proofs)))
    item, proofs = prove_evaluation(space, run, table(40), rows=5, how=how)
    claim, found = claimed(item), Trained.of(space, run)
    numbers = plan(run.seed, 40, PARAMETERS).held_out
    rows = values(numbers)
    right = [(MODEL.probability(found.weights, row[:-1]) > 512) == row[-1] for row in rows]
    assert isinstance(claim.statement, EvaluationStatement)
    assert claim.statement.right == (sum(right[:5]), sum(right[5:]))
    opened = FeatureRows(space, found.version, table(40)).open(numbers)
    commitments = [opened[number].opening.commitment for number in numbers]
    state, shape = FieldElement.decode(run.final), ModelShape.parse(claim.circuit)
    for part, (proof, own) in enumerate(
        zip(proofs, (commitments[:5], commitments[5:]), strict=True)
    ):
        told, context = claim.statement.right[part], claim.context(part)
        assert proof.public == evaluation_public(shape, state, own, [0, 0], told, context)
    assert begun == [("evaluation-logistic-5x2.v1", 2)]
    again, same = prove_evaluation(space, run, table(40), rows=5)
    assert (again.digest, same) == (item.digest, proofs)


@pytest.mark.slow
def test_answers_to_records_and_to_open_inputs_are_proved(
    space: Workspace, run: RunStatement
) -> None:
    found, numbers = Trained.of(space, run), [3, 0]
    state = FieldElement.decode(run.final)
    answers = [(MODEL.probability(found.weights, row[:-1]),) for row in values(numbers)]
    item, (proof,) = prove_inference(space, run, table(40), numbers)
    claim, opened = claimed(item), FeatureRows(space, found.version, table(40)).open(numbers)
    assert claim.statement == InferenceStatement(
        run.digest, Records(found.version.commitment.digest, (3, 0)), tuple(answers)
    )
    shape, rows = ModelShape.parse(claim.circuit), [opened[n].opening.commitment for n in numbers]
    assert proof.public == inference_public(shape, state, rows, [0, 0], answers, claim.context(0))

    inputs = [row[:-1] for row in values(numbers)]
    item, (proof,) = prove_open_inference(space, run, inputs)
    claim = claimed(item)
    shape = ModelShape.parse(claim.circuit)
    assert proof.public == inference_public(shape, state, inputs, [0, 0], answers, claim.context(0))


@pytest.mark.slow
def test_a_property_is_proved_part_by_part_and_its_function_kept(
    space: Workspace, run: RunStatement
) -> None:
    function, version = mean_of_field(4, 3, 1), Trained.of(space, run).version
    numbers = [7, 6, 5, 4, 39, 0, 1, 2]
    item, proofs = prove_property(space, version, table(40), function, numbers)
    claim = claimed(item)
    column = [row[1] for row in values(numbers)]
    expected = [(2 * sum(part) + 4) // 8 for part in (column[:4], column[4:])]
    assert isinstance(claim.statement, PropertyStatement)
    assert claim.statement.values == tuple((value,) for value in expected)
    assert function_path(space, claim.statement.function).read_bytes() == function
    opened = FeatureRows(space, version, table(40)).open(numbers)
    commitments = [opened[number].opening.commitment for number in numbers]
    shape = PropertyShape.parse(claim.circuit)
    for part, proof in enumerate(proofs):
        own, context = commitments[4 * part : 4 * part + 4], claim.context(part)
        assert proof.public == property_public(shape, own, (expected[part],), context)


@pytest.mark.slow
def test_a_property_of_a_state_is_proved(space: Workspace, run: RunStatement) -> None:
    item, (proof,) = prove_state_property(space, run, "final", sum_of_squares(3))
    claim, weights = claimed(item), Trained.of(space, run).weights
    value = (sum(weight * weight for weight in weights),)
    assert isinstance(claim.statement, PropertyStatement)
    assert claim.statement.values == (value,)
    state = FieldElement.decode(run.final)
    shape = PropertyShape.parse(claim.circuit)
    assert proof.public == property_public(shape, [state], value, claim.context(0))
