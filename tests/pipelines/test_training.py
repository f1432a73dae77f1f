"""Dagster's side of proofs: commitments of a run's transcript, step proofs, claim, receipt."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.definitions import defs, prove_runs, registered_runs
from pipelines.flow.catalogue import attestations
from pipelines.flow.proofs.claiming import proof_path
from pipelines.flow.publishing import headers, receipts
from pipelines.flow.recorded import run_folder
from pipelines.flow.recording import EXTERNAL, Run
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from pipelines.resources import HomeResource
from pipelines.running import prepare_dagster
from pipelines.training import RUNS, FilesResource, features_stand_in_dataset, proofs_verify
from provenance.claim import Claim
from provenance.replay import Logistic
from provenance.training import Run as RunStatement
from storage.readers.datasets import Dataset, open_dataset
from tests.pipelines.flow.conftest import INDEXES, SPEC
from tests.pipelines.flow.test_recording import PARAMETERS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CONSOLE = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def write(path: Path, first: int = 0) -> Dataset:
    numbers = range(first, first + 40)
    columns: dict[str, list[Any]] = {
        "name": [f"row {n}" for n in numbers],
        "a": [37 * n % 200 - 100 for n in numbers],
        "b": [53 * n % 200 - 100 for n in numbers],
        "label": [n % 2 for n in numbers],
    }
    pq.write_table(pa.table(columns), path)
    return open_dataset(path)


@pytest.fixture
def rows(space: Workspace, tmp_path: Path) -> Dataset:
    dataset = write(tmp_path / "rows.parquet")
    register(space, dataset, Request("rows", "v1", INDEXES, SPEC))
    return dataset


def train(space: Workspace, name: str, dataset: Dataset, *, features: bool = True) -> RunStatement:
    optimiser, records = Logistic.of(PARAMETERS), list(dataset.records())
    given = dataset if features else None
    weights = optimiser.initial
    with Run(name, train="rows@v1", hyperparameters=PARAMETERS, space=space, dataset=given) as run:
        for batch in run.plan.batches:
            chosen = [[int(str(records[n][f.name])) for f in SPEC.all] for n in batch]
            weights = optimiser.step(weights, chosen)
            run.step(batch, weights)
        return run.finish(b"model", {})


@pytest.fixture
def instance(space: Workspace) -> Iterator[dg.DagsterInstance]:
    prepare_dagster(space.home)
    with dg.DagsterInstance.get() as found:
        yield found


@pytest.fixture
def home(space: Workspace) -> HomeResource:
    return HomeResource(path=str(space.home.path))


def execute(
    instance: dg.DagsterInstance, key: str, files: Path | None = None, **steps: int
) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions(str(RUNS.name), [key])
    config = {
        **CONSOLE,
        "ops": {"step_proofs": {"config": steps}},
        "resources": {"files": {"config": {"paths": [str(files)] if files else []}}},
    }
    return defs.resolve_job_def(prove_runs.name).execute_in_process(
        partition_key=key, instance=instance, raise_on_error=False, run_config=config
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [event for event in result.all_events if event.is_step_failure]
    return f"{event.step_key}: {event.step_failure_data.user_failure_data.description}"  # type: ignore[union-attr]


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node(asset)
    return {name: entry.value for name, entry in event.metadata.items()}


def tick(instance: dg.DagsterInstance, home: HomeResource) -> Any:
    context = dg.build_sensor_context(instance=instance, definitions=defs, resources={"home": home})
    return registered_runs(context)


def test_the_group_is_four_assets_in_a_row_with_their_checks() -> None:
    assets = [item for item in defs.assets or () if isinstance(item, dg.AssetsDefinition)]
    chosen = dg.AssetSelection.from_string("group:training").resolve(assets)
    names = {key.to_user_string() for key in chosen}
    assert names == {"feature_commitments", "step_proofs", "proof_attestation", "proof_receipt"}
    job = defs.resolve_job_def(prove_runs.name)
    checks = {key.name for key in job.asset_layer.asset_graph.asset_check_keys}
    assert {"features_stand_in_dataset", "proofs_verify"} <= checks


def test_the_sensor_adds_a_partition_for_each_run_that_can_be_proved(
    space: Workspace, instance: dg.DagsterInstance, home: HomeResource, rows: Dataset
) -> None:
    assert "no newly" in str(tick(instance, home).skip_reason)
    train(space, "one", rows)
    with Run(
        "outside",
        train="rows@v1",
        hyperparameters={},
        space=space,
        sampler=EXTERNAL,
        optimiser=EXTERNAL,
        initial=EXTERNAL,
    ) as other:
        other.step([0], b"state")
        other.finish(b"model", {})
    [request] = tick(instance, home).dynamic_partitions_requests
    assert request.partition_keys == ["one"]
    instance.add_dynamic_partitions(str(RUNS.name), ["one"])
    assert "no newly" in str(tick(instance, home).skip_reason)
    runs = {run.start.hex()[:16] for run in (train(space, "two", rows), train(space, "two", rows))}
    [request] = tick(instance, home).dynamic_partitions_requests
    assert set(request.partition_keys) == runs


def test_a_run_that_nobody_registered_is_told(instance: dg.DagsterInstance) -> None:
    assert "feature_commitments: no run 'nothing' here" in failure(execute(instance, "nothing"))


def test_a_transcript_without_features_stops_the_job(
    space: Workspace, instance: dg.DagsterInstance, rows: Dataset
) -> None:
    train(space, "bare", rows, features=False)
    assert "holds no feature commitments" in failure(execute(instance, "bare"))


def test_steps_out_of_range_are_told(
    space: Workspace, instance: dg.DagsterInstance, rows: Dataset, tmp_path: Path
) -> None:
    train(space, "one", rows)
    result = execute(instance, "one", tmp_path / "rows.parquet", first=15, steps=4)
    assert "step_proofs: one has steps 0 to 15" in failure(result)


def test_other_files_do_not_hold_the_features(
    space: Workspace,
    instance: dg.DagsterInstance,
    home: HomeResource,
    rows: Dataset,
    tmp_path: Path,
) -> None:
    train(space, "one", rows)
    write(tmp_path / "other.parquet", first=1)
    instance.add_dynamic_partitions(str(RUNS.name), ["one"])
    context = dg.build_op_context(partition_key="one", instance=instance)
    for name, passed in (("rows", True), ("other", False)):
        files = FilesResource(paths=[str(tmp_path / f"{name}.parquet")])
        found = features_stand_in_dataset(context, home=home, files=files)
        assert isinstance(found, dg.AssetCheckResult)
        assert found.passed is passed
    result = execute(instance, "one")
    [evaluation] = result.get_asset_check_evaluations()
    assert "no snapshot of rows@v1" in str(evaluation.metadata["reason"].value)
    assert not result.asset_materializations_for_node("step_proofs")


def test_a_changed_feature_commitment_is_not_in_the_transcript(
    space: Workspace, instance: dg.DagsterInstance, rows: Dataset
) -> None:
    run = train(space, "one", rows)
    path = run_folder(space, run.start) / "features.json"
    members = json.loads(path.read_text())
    first, second = sorted(members)[:2]
    members[first], members[second] = members[second], members[first]
    path.write_text(json.dumps(members, sort_keys=True, separators=(",", ":")))
    assert "leads to" in failure(execute(instance, "one"))


@pytest.mark.slow
def test_steps_are_proved_claimed_and_posted_once(
    space: Workspace,
    instance: dg.DagsterInstance,
    home: HomeResource,
    rows: Dataset,
    tmp_path: Path,
) -> None:
    train(space, "one", rows)
    files = tmp_path / "rows.parquet"
    result = execute(instance, "one", files, first=2, steps=2, unroll=1)
    assert result.success
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {"features_stand_in_dataset": True, "proofs_verify": True}
    told = metadata(result, "step_proofs")
    assert (told["proofs"], "INSECURE" in told["SRS"]) == (2, True)
    assert told["seconds"] > 0
    [claim] = [i.commitment for i in attestations(space) if isinstance(i.commitment, Claim)]
    assert told["claim"] == claim.digest.hex()
    assert metadata(result, "proof_receipt")["chain"] == space.ledger.chain
    before, posted = headers(space), len(list(receipts(space)))

    assert execute(instance, "one", files, first=2, steps=2, unroll=1).success
    assert headers(space) == before
    assert len(list(receipts(space))) == posted

    context = dg.build_op_context(partition_key="one", instance=instance)
    place = proof_path(space, claim.proofs[0].hex())
    place.write_bytes(proof_path(space, claim.proofs[1].hex()).read_bytes())
    found = proofs_verify(context, step_proofs=claim.encoded, home=home)
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    assert "public value" in str(found.metadata["reason"].value)
