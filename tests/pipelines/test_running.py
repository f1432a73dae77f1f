"""The job in this process: settings in the home, and failures as one line."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.flow.workspace import Workspace
from pipelines.resources import HomeResource
from pipelines.running import SETTINGS, attest_versions, prepare_dagster
from provenance.errors import UnavailableError


def test_dagster_writes_inside_the_home_and_tells_nobody(space: Workspace) -> None:
    prepare_dagster(space.home)
    written = space.home.dagster / "dagster.yaml"
    assert written.read_bytes() == SETTINGS.read_bytes()
    settings = YAML(typ="safe").load(written)
    assert settings["telemetry"] == {"enabled": False}
    places = [
        settings["storage"]["sqlite"]["base_dir"],
        settings["local_artifact_storage"]["config"]["base_dir"],
        settings["compute_logs"]["config"]["base_dir"],
    ]
    assert places == [{"env": "DAGSTER_HOME"}] * 3


def test_a_dataset_that_nobody_watches_is_named(space: Workspace) -> None:
    with pytest.raises(
        UnavailableError, match="rows@v1: step snapshot failed: rows is not watched"
    ):
        list(attest_versions(space, ("rows@v1",)))


def test_a_resource_without_a_home_says_what_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOTLINE_HOME", raising=False)
    with pytest.raises(UnavailableError, match="ROOTLINE_HOME names no home: `rootline dev`"):
        HomeResource().space()


def test_a_resource_takes_the_home_that_the_environment_names(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOTLINE_HOME", str(tmp_path))
    assert HomeResource().space().home.path == tmp_path
    assert HomeResource(path=str(space.home.path)).space().home == space.home
