"""Registering: the same again is found again, and what is taken stays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.flow.catalogue import Version, attestations, find_version, nodes_of, versions
from pipelines.flow.opening import open_records
from pipelines.flow.queueing import waiting
from pipelines.flow.registering import (
    Request,
    commit,
    recompute,
    register,
    sign,
)
from pipelines.flow.working import IndexRequest
from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError, UnavailableError
from provenance.features import FeatureField, FeatureSpec
from provenance.opening import verify_opening
from provenance.schema import Field, Schema, String
from storage.readers.datasets import Options, from_stream, open_dataset
from tests.pipelines.flow.conftest import INDEXES, SPEC, table

Add = Callable[[str, int], Version]


def test_a_version_registered_twice_is_registered_once(space: Workspace, add: Add) -> None:
    first, again = add("v1", 20), add("v1", 20)
    assert first.attestation.envelope == again.attestation.envelope
    assert len(list(attestations(space))) == len(waiting(space)) == 1


def test_other_records_under_a_taken_version_are_refused(space: Workspace, add: Add) -> None:
    first = add("v1", 20)
    with pytest.raises(MalformedError, match="rows@v1 is registered already, with other records"):
        add("v1", 21)
    assert find_version(space, "rows@v1") == first


@pytest.mark.parametrize(
    "request_",
    [
        Request("rows", "v1", INDEXES[:1], SPEC),
        Request("rows", "v1", INDEXES, SPEC, {"licence": "CC0-1.0"}),
    ],
)
def test_other_claims_under_a_taken_version_are_refused(
    space: Workspace, add: Add, request_: Request
) -> None:
    add("v1", 20)
    with pytest.raises(MalformedError, match="registered already, with other indexes or facts"):
        register(space, table(20), request_)


def test_versions_follow_each_other(space: Workspace, add: Add) -> None:
    first, second, third = (add(f"v{n}", 20 + n) for n in range(3))
    assert first.commitment.previous is None
    assert second.commitment.previous == first.commitment.digest
    assert third.commitment.previous == second.commitment.digest
    assert versions(space, "rows") == (first, second, third)
    assert find_version(space, "rows") == third


def test_the_same_records_under_a_new_version_have_the_same_root(add: Add) -> None:
    first, second = add("v1", 20), add("v2", 20)
    assert first.commitment.root == second.commitment.root
    assert first.commitment.digest != second.commitment.digest


def test_what_was_read_before_another_version_was_signed_is_not_signed(space: Workspace) -> None:
    late = commit(space, table(20), Request("rows", "v1"))
    register(space, table(21), Request("rows", "v2"))
    with pytest.raises(UnavailableError, match="another version was registered while rows@v1"):
        sign(space, late)
    assert [v.commitment.version for v in versions(space, "rows")] == ["v2"]


def test_indexes_and_features_stand_in_the_commitment(add: Add) -> None:
    made = add("v1", 20).commitment
    assert [(i.normaliser, i.keys, i.without) for i in made.indexes] == [
        ("exact/1", 20, 0),
        ("text-nfkc-casefold/1", 20, 0),
    ]
    assert made.features == SPEC


@pytest.mark.parametrize(
    ("indexes", "features", "words"),
    [
        ((IndexRequest("exact/1", "name"),), None, "exact/1"),
        ((IndexRequest("text-nfkc-casefold/1", "nmae"),), None, "no field 'nmae'"),
        ((IndexRequest("text-nfkc-casefold/1", "a"),), None, "'a' is no string"),
        ((), FeatureSpec((FeatureField("name", 0),), None), "'name' is no numeric field"),
    ],
)
def test_what_cannot_be_committed_is_refused_before_a_record_is_read(
    space: Workspace,
    indexes: tuple[IndexRequest, ...],
    features: FeatureSpec | None,
    words: str,
) -> None:
    with pytest.raises(MalformedError, match=words):
        commit(space, table(20), Request("rows", "v1", indexes, features))
    assert not list(space.home.nodes.iterdir())


def test_the_root_is_computed_anew_from_the_records(space: Workspace, add: Add) -> None:
    made = add("v1", 20).commitment
    assert recompute(space, table(20), made) == made.root
    assert recompute(space, table(20, first=1), made) != made.root
    nodes_of(space, made).verify()


def test_names_that_are_not_here_are_told_apart_from_what_is_no_name(space: Workspace) -> None:
    with pytest.raises(UnavailableError, match="no dataset rows@v1 here"):
        find_version(space, "rows@v1")
    with pytest.raises(MalformedError, match="no name@version"):
        find_version(space, "Rows@v1")


def test_an_attestation_under_another_name_is_refused(space: Workspace, add: Add) -> None:
    add("v1", 20)
    [path] = space.home.attestations.glob("*.json")
    path.rename(path.with_name("0" * 64 + ".json"))
    with pytest.raises(MalformedError, match="another file was put here"):
        find_version(space, "rows@v1")


def test_a_changed_attestation_is_refused_though_it_was_verified_before(
    space: Workspace, add: Add
) -> None:
    add("v1", 20)
    [path] = space.home.attestations.glob("*.json")
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    with pytest.raises(MalformedError):
        find_version(space, "rows@v1")


def test_streams_are_always_read_anew(space: Workspace) -> None:
    first = register(space, from_stream(pa.table({"x": [1, 2, 3]})), Request("stream", "1"))
    second = register(space, from_stream(pa.table({"x": [4, 5, 6]})), Request("stream", "2"))
    fresh = register(space, from_stream(pa.table({"x": [4, 5, 6]})), Request("stream", "3"))
    assert first.commitment.root != second.commitment.root == fresh.commitment.root


def test_the_same_file_read_in_another_way_is_read_anew(space: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x\nNA\nb\n")
    schema = Schema.of(Field("x", String()))
    plain = open_dataset(path, schema=schema)
    nulls = open_dataset(path, schema=schema, options=Options(null="NA"))
    roots = {
        register(space, dataset, Request("cells", version)).commitment.root
        for version, dataset in (("1", plain), ("2", nulls), ("3", plain))
    }
    assert len(roots) == 2
    later = from_stream(pa.table({"x": [None, "b"]}))
    assert register(space, later, Request("cells", "4")).commitment.root in roots


def test_each_version_names_the_files_that_it_was_read_from(
    space: Workspace, tmp_path: Path
) -> None:
    for name, size in (("a", 1), ("b", 2)):
        pq.write_table(pa.table({"x": [1, 2]}), tmp_path / f"{name}.parquet", row_group_size=size)
    first, second = (
        register(space, open_dataset(tmp_path / f"{name}.parquet"), Request("rows", name))
        for name in "ab"
    )
    again = register(space, open_dataset(tmp_path / "a.parquet"), Request("rows", "c"))
    assert first.commitment.root == second.commitment.root == again.commitment.root
    assert first.commitment.sources != second.commitment.sources
    assert first.commitment.sources == again.commitment.sources


def test_of_two_commits_at_once_one_waits_and_both_are_registered(
    space: Workspace, tmp_path: Path
) -> None:
    for number in range(3):
        pq.write_table(pa.table({"x": [number]}), tmp_path / f"{number}.parquet")

    def commit_one(number: int) -> Version:
        dataset = open_dataset(tmp_path / f"{number}.parquet")
        return register(space, dataset, Request("rows", f"v{number}"))

    with ThreadPoolExecutor(3) as pool:
        made = {version.commitment.version for version in pool.map(commit_one, range(3))}
    assert made == {version.commitment.version for version in versions(space, "rows")}


def test_damaged_inner_nodes_cost_time_and_nothing_else(space: Workspace) -> None:
    dataset = from_stream(pa.table({"x": list(range(50))}))
    version = register(space, dataset, Request("rows", "1"))
    path = nodes_of(space, version.commitment).path.with_suffix(".inner")
    data = bytearray(path.read_bytes())
    data[64:] = bytes(len(data) - 64)
    path.write_bytes(data)
    [opening] = open_records(space, version, dataset, [7])
    assert verify_opening(opening, version.commitment) == {"x": 7}
