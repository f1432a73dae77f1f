"""Dagster's side on a real DVC repository: job, checks, sensor, schedules; all can run again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.datasets import VERSIONS, receipt_verifies, root_recomputes, snapshot_folder
from pipelines.definitions import attest, defs, dvc_revisions, nightly, upkeep
from pipelines.flow.catalogue import attestations, find_version
from pipelines.flow.publishing import headers, is_published, outbox, publish, receipts
from pipelines.flow.queueing import waiting
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from pipelines.resources import HomeResource
from pipelines.running import attest_versions, prepare_dagster
from pipelines.watching import Watched
from provenance.errors import UnavailableError
from storage.readers.datasets import open_dataset
from tests.pipelines.conftest import Repository

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def instance(space: Workspace) -> Iterator[dg.DagsterInstance]:
    prepare_dagster(space.home)
    with dg.DagsterInstance.get() as found:
        yield found


@pytest.fixture
def home(space: Workspace) -> HomeResource:
    return HomeResource(path=str(space.home.path))


def run(instance: dg.DagsterInstance, key: str) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions(str(VERSIONS.name), [key])
    return defs.resolve_job_def(attest.name).execute_in_process(
        partition_key=key, instance=instance, raise_on_error=False
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node(asset)
    return {name: entry.value for name, entry in event.metadata.items()}


@pytest.mark.usefixtures("watched")
def test_the_job_takes_two_versions_from_snapshot_to_receipt(space: Workspace) -> None:
    labels = [label for label, _ in attest_versions(space, ("rows@v1", "rows@v2"))]
    first, second = (find_version(space, label).commitment for label in labels)
    assert (first.records, second.records) == (20, 30)
    assert second.previous == first.digest
    assert len(list(receipts(space))) == 3  # the log's first header, and one batch a version


@pytest.mark.usefixtures("watched")
def test_assets_tell_root_count_seconds_and_a_summary(
    space: Workspace, instance: dg.DagsterInstance
) -> None:
    result = run(instance, "rows@v1")
    made = find_version(space, "rows@v1").commitment
    told = metadata(result, "commitment")
    assert (told["root"], told["records"]) == (made.root.hex, 20)
    assert told["seconds"] > 0
    assert f"| record root | `{made.root.hex}` |" in told["summary"]
    assert metadata(result, "receipt")["chain"] == space.ledger.chain
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {"root_recomputes": True, "receipt_verifies": True}


@pytest.mark.usefixtures("watched")
def test_the_job_run_again_posts_nothing_twice(
    space: Workspace, instance: dg.DagsterInstance
) -> None:
    assert run(instance, "rows@v1").success
    before = headers(space)
    assert run(instance, "rows@v1").success
    assert headers(space) == before
    assert len(list(attestations(space))) == 1


@pytest.mark.usefixtures("watched")
def test_a_check_fails_where_a_leaf_was_changed_on_disk(
    space: Workspace, instance: dg.DagsterInstance, home: HomeResource
) -> None:
    assert run(instance, "rows@v1").success
    made = find_version(space, "rows@v1").commitment
    [path] = space.home.nodes.glob(f"{made.root.hex}.nodes")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(data))
    context = dg.build_op_context(partition_key="rows@v1", instance=instance)
    found = root_recomputes(context, commitment=made.encoded, home=home)
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    assert "chunk 0" in str(found.metadata["reason"].value)


@pytest.mark.usefixtures("watched")
def test_a_revision_that_does_not_exist_is_one_clear_line(space: Workspace) -> None:
    with pytest.raises(UnavailableError, match=r"rows@v9: step snapshot failed: .*v9"):
        list(attest_versions(space, ("rows@v9",)))


def tick(instance: dg.DagsterInstance, home: HomeResource, cursor: str | None) -> Any:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, definitions=defs, resources={"home": home}
    )
    return dvc_revisions(context)


def test_the_sensor_asks_once_for_each_new_revision(
    instance: dg.DagsterInstance, home: HomeResource, watched: Watched, repository: Repository
) -> None:
    first = tick(instance, home, None)
    [request] = first.run_requests
    assert request.partition_key.startswith(f"{watched.name}@git-")
    again = tick(instance, home, first.cursor)
    assert not again.run_requests
    repository.commit(31)
    [later] = tick(instance, home, again.cursor).run_requests
    assert later.partition_key != request.partition_key


@pytest.mark.usefixtures("watched")
def test_what_the_sensor_asks_for_can_be_attested(
    space: Workspace, instance: dg.DagsterInstance, home: HomeResource
) -> None:
    [request] = tick(instance, home, None).run_requests
    assert run(instance, request.partition_key).success
    assert find_version(space, request.partition_key).commitment.records == 30


def test_the_sensor_skips_a_repository_that_is_gone(
    instance: dg.DagsterInstance, home: HomeResource, watched: Watched
) -> None:
    watched.repo.rename(watched.repo.with_name("elsewhere"))
    result = tick(instance, home, None)
    assert not result.run_requests
    assert watched.name in str(result.skip_reason)


def night(instance: dg.DagsterInstance, home: HomeResource) -> list[Any]:
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 1, 1, 3, tzinfo=UTC),
        resources={"home": home},
    )
    requested: Any = nightly(context)
    return list(requested)


@pytest.mark.usefixtures("watched")
def test_the_schedule_attests_only_what_is_not_published(
    instance: dg.DagsterInstance, home: HomeResource
) -> None:
    instance.add_dynamic_partitions(str(VERSIONS.name), ["rows@v1"])
    assert [request.partition_key for request in night(instance, home)] == ["rows@v1"]
    assert run(instance, "rows@v1").success
    [skipped] = night(instance, home)
    assert isinstance(skipped, dg.SkipReason)


def test_upkeep_posts_what_waited_and_verifies_every_receipt(
    space: Workspace, instance: dg.DagsterInstance, repository: Repository
) -> None:
    publish(space)
    dataset = open_dataset(repository.folder / "rows")
    register(space, dataset, Request("rows", "v1"))
    result = defs.resolve_job_def(upkeep.name).execute_in_process(instance=instance)
    told = metadata(result, "ledger_upkeep")
    assert (told["posted"], told["receipts verified"], told["waiting"]) == (1, 2, 0)
    again = defs.resolve_job_def(upkeep.name).execute_in_process(instance=instance)
    assert metadata(again, "ledger_upkeep")["posted"] == 0


def test_upkeep_waits_for_whoever_publishes_and_leaves_what_waits(
    space: Workspace,
    instance: dg.DagsterInstance,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lock held by another process is told, loses nothing, and the next upkeep posts it."""
    monkeypatch.setattr(type(outbox(space)).locked, "__kwdefaults__", {"wait": 0.0})
    register(space, open_dataset(repository.folder / "rows"), Request("rows", "v1"))
    job = defs.resolve_job_def(upkeep.name)
    with outbox(space).locked():
        held = job.execute_in_process(instance=instance, raise_on_error=False)
    [failure] = [event for event in held.all_events if event.is_step_failure]
    assert "is locked by process" in str(failure.step_failure_data)
    assert len(waiting(space)) == 1
    assert metadata(job.execute_in_process(instance=instance), "ledger_upkeep")["waiting"] == 0
    assert is_published(space, "rows@v1")


@pytest.mark.usefixtures("watched")
def test_a_check_fails_where_the_snapshot_was_changed(
    space: Workspace, instance: dg.DagsterInstance, home: HomeResource
) -> None:
    assert run(instance, "rows@v1").success
    made = find_version(space, "rows@v1").commitment
    [path] = snapshot_folder(space, "rows@v1").rglob("*.parquet")
    path.chmod(0o600)
    pq.write_table(pa.table({"name": ["other"], "value": [1]}), path)
    context = dg.build_op_context(partition_key="rows@v1", instance=instance)
    found = root_recomputes(context, commitment=made.encoded, home=home)
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed


@pytest.mark.usefixtures("watched")
def test_a_check_fails_where_the_ledger_was_made_anew(
    space: Workspace, instance: dg.DagsterInstance, home: HomeResource
) -> None:
    assert run(instance, "rows@v1").success
    height = space.ledger.head()
    space.home.ledger.rename(space.home.path / "earlier.sqlite")
    other = Workspace(space.home)
    while other.ledger.head() < height:
        other.embedded.advance()
    context = dg.build_op_context(partition_key="rows@v1", instance=instance)
    found = receipt_verifies(context, home=home)
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    assert "history was rewritten" in str(found.metadata["reason"].value)


def test_a_selection_string_works() -> None:
    """DVC's released parser runtime breaks these, silently; see ADR 8."""
    assets = [item for item in defs.assets or () if isinstance(item, dg.AssetsDefinition)]
    chosen = dg.AssetSelection.from_string("group:datasets").resolve(assets)
    names = {key.to_user_string() for key in chosen}
    assert names == {"snapshot", "commitment", "attestation", "receipt"}


@pytest.mark.usefixtures("watched")
def test_nothing_is_written_outside_the_home(
    space: Workspace, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    source = Path(__file__).parents[2]
    folders = ("pipelines", "provenance", "storage", "circuits")
    before = {path for name in folders for path in (source / name).rglob("*")}
    assert run(instance, "rows@v1").success
    after = {path for name in folders for path in (source / name).rglob("*")}
    assert {path for path in after - before if "__pycache__" not in path.parts} == set()
    assert {path.name for path in tmp_path.iterdir()} <= {".rootline", "repository", "dvc-site"}
    assert (space.home.dagster / "storage").is_dir()
