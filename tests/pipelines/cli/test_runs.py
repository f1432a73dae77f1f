"""`rootline run …`: runs that are recorded, listed and shown, finished or not."""

import sys
from typing import Any

import pytest

from tests.pipelines.cli.conftest import Program


def run(*words: str) -> tuple[str, ...]:
    return ("run", "--name", "fit", "--train", "people@v1", *words)


WRITE = (sys.executable, "-c", "open('model.bin', 'w').write('weights')")


@pytest.mark.usefixtures("people")
def test_a_command_is_announced_run_and_registered(rootline: Program) -> None:
    document = rootline.json(*run("--out", "model.bin", "--param", "rate=0.1", "--", *WRITE))
    assert document["state"] == "registered"
    assert document["model"] == document["outputs"]["model.bin"]
    [shown] = rootline.json("run", "show", "fit")["runs"]
    assert shown["announced"]["hyperparameters"] == {"rate": "0.1"}
    assert shown["registered"]["model"] == document["model"]
    assert shown["announced"]["seed_height"] > 3
    [row] = rootline.json("run", "list")
    assert (row["run"], row["state"], row["steps"]) == ("fit", "registered", 1)


@pytest.mark.usefixtures("people")
def test_the_command_gets_the_home_and_the_seed(rootline: Program) -> None:
    code = "import os; open('seen', 'w').write(os.environ['ROOTLINE_HOME'] + chr(10) + "
    code += "os.environ['ROOTLINE_RUN_SEED'])"
    rootline(*run("--out", "seen", "--", sys.executable, "-c", code))
    home, seed = (rootline.folder / "seen").read_text().splitlines()
    assert home == str(rootline.folder / ".rootline")
    assert rootline.json("run", "show", "fit")["runs"][0]["registered"]["seed"] == seed


@pytest.mark.usefixtures("people")
def test_the_command_is_not_published(rootline: Program) -> None:
    rootline(*run("--", sys.executable, "-c", "token = 'hunter2'"))
    assert "hunter2" not in rootline("run", "show", "fit")


@pytest.mark.usefixtures("people")
def test_a_command_that_fails_leaves_an_unfinished_run(rootline: Program) -> None:
    assert "ended with 7" in rootline.fails(
        *run("--", sys.executable, "-c", "raise SystemExit(7)"), code=1
    )
    [row] = rootline.json("run", "list")
    assert (row["state"], row["steps"], row["block"]) == ("unfinished", 0, "")
    assert "unfinished" in rootline("run", "show", "fit")


@pytest.mark.usefixtures("people")
def test_a_command_that_is_not_there_leaves_an_unfinished_run(rootline: Program) -> None:
    assert "no-such-program" in rootline.fails(*run("--", "no-such-program"), code=2)
    assert rootline.json("run", "list")[0]["state"] == "unfinished"


@pytest.mark.usefixtures("people")
def test_an_output_that_was_not_written_leaves_an_unfinished_run(rootline: Program) -> None:
    words = run("--out", "model.bin", "--", sys.executable, "-c", "")
    assert "model.bin" in rootline.fails(*words, code=2)
    assert rootline.json("run", "list")[0]["state"] == "unfinished"


def test_a_run_on_data_that_is_not_registered_is_refused(rootline: Program) -> None:
    assert "people@v1" in rootline.fails(*run("--", "true"), code=3)
    assert rootline.json("run", "list") == []


def test_a_run_that_is_not_there_is_named(rootline: Program) -> None:
    assert "rootline run list" in rootline.fails("run", "show", "nothing", code=3)


@pytest.mark.usefixtures("people")
def test_runs_stand_with_their_dataset(rootline: Program) -> None:
    rootline(*run("--", "true"))
    assert rootline.json("dataset", "show", "people")["runs"] == ["fit"]


@pytest.mark.usefixtures("people")
def test_a_run_is_found_by_its_start_too(rootline: Program) -> None:
    document: Any = rootline.json(*run("--", "true"))
    [shown] = rootline.json("run", "show", document["start"][:12])["runs"]
    assert shown["start"] == document["start"]
