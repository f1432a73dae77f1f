"""Looking things up gives the same with and without the registry."""

from pathlib import Path

import pytest

from pipelines.flow import looking
from pipelines.flow.looking import all_runs, height_of, newest, runs_on
from pipelines.flow.publishing import publish
from pipelines.flow.recording import EXTERNAL, Run
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from storage.readers.datasets import from_stream


def table(rows: int) -> object:
    import pyarrow as pa

    return pa.table({"value": list(range(rows))})


def fill(space: Workspace) -> None:
    """Two datasets, one of them in two versions that wait; a run, and one that is unfinished."""
    register(space, from_stream(table(3)), Request("b", "v1"))  # type: ignore[arg-type]  # a pyarrow table
    register(space, from_stream(table(4)), Request("a", "v1"))  # type: ignore[arg-type]  # likewise
    publish(space)
    rules = {"sampler": EXTERNAL, "optimiser": EXTERNAL, "initial": EXTERNAL}
    for name, ends in (("whole", True), ("half", False)):
        with Run(name, train="b@v1", hyperparameters={}, space=space, **rules) as run:  # type: ignore[arg-type]  # three of its options
            run.step([0, 1], b"state")
            if ends:
                run.finish(b"model", {"loss": 0.5})
    register(space, from_stream(table(5)), Request("a", "v2"))  # type: ignore[arg-type]  # likewise


def test_the_home_and_the_registry_say_the_same(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(space)
    versions, runs = newest(space), all_runs(space)
    assert Path(space.home.registry).exists()
    monkeypatch.setattr(looking, "find_spec", lambda _: None)
    assert newest(space) == versions
    assert all_runs(space) == runs
    assert [(v.name, v.version, v.height is None) for v in versions] == [
        ("a", "v2", True),
        ("b", "v1", False),
    ]
    assert [(r.name, r.commitment is None) for r in runs] == [("half", True), ("whole", False)]


def test_a_version_tells_its_runs_and_its_block(space: Workspace) -> None:
    fill(space)
    [_, entry] = newest(space)
    assert {start.name for start in runs_on(space, entry.commitment)} == {"whole", "half"}
    [waits, _] = newest(space)
    assert waits.height is None
    from pipelines.flow.catalogue import find_version

    assert height_of(space, find_version(space, "b").attestation) == entry.height
    assert height_of(space, find_version(space, "a").attestation) is None
