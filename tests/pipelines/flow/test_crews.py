"""Threads, processes and a Ray cluster make the same commitment, also when a machine dies."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.flow import building, working
from pipelines.flow.building import Reopen
from pipelines.flow.catalogue import nodes_of
from pipelines.flow.crews import Crew
from pipelines.flow.registering import Request, register
from pipelines.flow.working import (
    IndexRequest,
    Orders,
    Range,
    Worked,
    join,
    work_batch,
    work_range,
)
from pipelines.flow.workspace import Workspace
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError
from provenance.leaf import DatasetKey
from provenance.leaves import LeafMaker
from storage.readers.datasets import open_dataset

KEY = DatasetKey(bytes(range(32)))
INDEXES = (IndexRequest("exact/1"), IndexRequest("text-nfkc-casefold/1", "name"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Parquet files with several ranges, natural cuts, constant records and an empty one."""
    return written(tmp_path / "data", (30_000, 5, 0, 9_000), 40_000)


def written(found: Path, counts: Sequence[int], alike: int) -> Path:
    """Return a folder of one file for each count, and one of records that are all alike."""
    found.mkdir()
    for number, count in enumerate(counts):
        ids = [number * 10**6 + at for at in range(count)]
        names = [None if at % 7 == 0 else f"Name {at % 50}" for at in range(count)]
        table = pa.table({"id": pa.array(ids, pa.int64()), "name": pa.array(names, pa.string())})
        pq.write_table(table, found / f"part-{number}.parquet", row_group_size=4000)
    same = pa.table({"id": [7] * alike, "name": ["same"] * alike})
    pq.write_table(same, found / "part-9.parquet")
    return found


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "RANGE", 7001)


def committed(space: Workspace, reopen: Reopen, crew: Crew) -> DatasetCommitment:
    space.crew = crew
    request = Request("flights", f"1-{crew.kind}", INDEXES)
    made = register(space, reopen(), request, reopen).commitment
    nodes_of(space, made).verify()
    return made


def essence(made: DatasetCommitment) -> object:
    return made.root, made.chunks, made.records, made.indexes


@pytest.mark.parametrize(
    ("counts", "alike"),
    [
        ((15_000, 5, 0, 8_000), 17_000),
        pytest.param((30_000, 5, 0, 9_000), 40_000, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("small_ranges")
def test_processes_make_what_threads_make(
    space: Workspace, tmp_path: Path, counts: Sequence[int], alike: int
) -> None:
    reopen = partial(open_dataset, written(tmp_path / "data", counts, alike))
    threads = committed(space, reopen, Crew("threads"))
    assert essence(committed(space, reopen, Crew("processes", count=2))) == essence(threads)


@pytest.fixture
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    import ray
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield found
    finally:
        ray.shutdown()
        found.shutdown()  # type: ignore[no-untyped-call]  # Ray has lapses


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("small_ranges")
def test_a_cluster_that_loses_a_node_half_way_makes_the_same(
    space: Workspace, folder: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reopen = partial(open_dataset, folder)
    threads = committed(space, reopen, Crew("threads"))
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    absorbed: list[Worked] = []
    real = building.commit_sources  # type: ignore[attr-defined]

    def killing(
        assembly: Any, sources: Any, plan: Any, absorb: Callable[[Worked], None], reuse: Any
    ) -> None:
        def told(run: Worked) -> None:
            absorbed.append(run)
            if len(absorbed) == 2:
                cluster.remove_node(second, allow_graceful=False)
            absorb(run)

        real(assembly, sources, plan, told, reuse)

    monkeypatch.setattr(building, "commit_sources", killing)
    made = committed(space, reopen, Crew("ray", address=cluster.address))
    assert len(absorbed) > 4
    assert essence(made) == essence(threads)


def test_a_range_is_worked_on_alike_wherever_it_is_opened(folder: Path) -> None:
    dataset = open_dataset(folder)
    orders = Orders(LeafMaker(dataset.schema, KEY), INDEXES)
    source = dataset.sources[0]
    span = Range(partial(open_dataset, folder), 0, source.identity, 5000, 21_000)
    whole = join([work_batch(orders, batch) for batch in source.batches()], 2)
    found = work_range(orders, span)
    assert np.array_equal(found.words, whole.words[5000:21_000])
    assert found.chunks
    for start, tree in found.chunks.items():
        assert whole.chunks[start + 5000].chunk == tree.chunk
    assert [without for _, without in found.keys] == [0, len(range(5005, 21_000, 7))]


def test_another_file_than_the_drivers_is_refused(folder: Path) -> None:
    dataset = open_dataset(folder)
    span = Range(partial(open_dataset, folder), 0, dataset.sources[1].identity, 0, 10)
    with pytest.raises(MalformedError, match=r"part-1\.parquet .*: a worker finds another file"):
        work_range(Orders(LeafMaker(dataset.schema, KEY)), span)


def test_a_bad_record_in_another_process_is_named(space: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    days = pa.array([86_400_000, 5], pa.int64()).view(pa.date64())
    pq.write_table(pa.table({"day": days}), path)
    bad = tmp_path / "bad.arrow"
    with pa.ipc.new_file(str(bad), pa.schema([("day", pa.date64())])) as writer:
        writer.write_table(pa.table({"day": days}))
    reopen = partial(open_dataset, bad)
    space.crew = Crew("processes", count=1)
    with pytest.raises(MalformedError, match="record 2: "):
        register(space, reopen(), Request("bad", "1"), reopen)


@pytest.mark.parametrize(
    ("text", "crew"),
    [
        ("threads", Crew()),
        ("threads:3", Crew("threads", count=3)),
        ("processes:2", Crew("processes", count=2)),
        ("ray", Crew("ray")),
        ("ray:10.0.0.1:6379", Crew("ray", address="10.0.0.1:6379")),
    ],
)
def test_workers_are_named_in_a_word(text: str, crew: Crew) -> None:
    assert Crew.of(text) == crew


@pytest.mark.parametrize("text", ["", "spark", "threads:0", "threads:x", "processes:-1"])
def test_other_workers_are_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="no workers"):
        Crew.of(text)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnavailableError, match="extra `ray`"), Crew("ray").hired():
        pass
