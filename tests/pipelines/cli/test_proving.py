"""`rootline prove …` in zero knowledge: what is refused, what is told, what is claimed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli.claiming import MAX_NUMBERS, numbers, read_inputs, tell_cost
from pipelines.flow.crews import Crew
from pipelines.flow.recording import EXTERNAL, Run
from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError
from provenance.replay import Logistic
from storage.readers.datasets import open_dataset
from tests.pipelines.cli.conftest import Program, clean
from tests.pipelines.flow.conftest import SPEC
from tests.pipelines.flow.test_recording import PARAMETERS

pytest.importorskip("onnx")

from circuits.functions.examples import mean_of_field, sum_of_squares
from circuits.registry import circuit

NAMED = ("--name", "rows", "--version", "v1", "--features", "features.json")


def columns(first: int) -> dict[str, list[Any]]:
    numbers = range(first, first + 40)
    return {
        "name": [f"row {n}" for n in numbers],
        "a": [37 * n % 200 - 100 for n in numbers],
        "b": [53 * n % 200 - 100 for n in numbers],
        "label": [n % 2 for n in numbers],
    }


def train(folder: Path) -> None:
    space, dataset = Workspace.create(folder / ".rootline"), open_dataset(folder / "rows.parquet")
    optimiser, records = Logistic.of(PARAMETERS), list(dataset.records())
    weights = optimiser.initial
    with Run(
        "fit", train="rows@v1", hyperparameters=PARAMETERS, space=space, dataset=dataset
    ) as run:
        for batch in run.plan.batches:
            chosen = [[int(str(records[n][f.name])) for f in SPEC.all] for n in batch]
            weights = optimiser.step(weights, chosen)
            run.step(batch, weights)
        run.finish(b"model", {})
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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two versions and two runs, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("proving")
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = clean(monkeypatch, folder)
        pq.write_table(pa.table(columns(0)), folder / "rows.parquet")
        pq.write_table(pa.table(columns(1)), folder / "other.parquet")
        made.write("features.json", json.dumps(SPEC.to_json()))
        made.write("mean.onnx", mean_of_field(4, 3, 0))
        made.write("norm.onnx", sum_of_squares(3))
        made.write("junk.onnx", b"nonsense")
        made.write("inputs.json", "[[12,-3],[0,7]]")
        made.write("wide.json", "[[12,-3,4]]")
        made("init")
        indexes = ("--index", "text-nfkc-casefold/1:name")
        made("dataset", "register", "rows.parquet", *NAMED, *indexes)
        made("dataset", "register", "rows.parquet", "--name", "plain", "--version", "v1")
        train(folder)
    return folder


@pytest.fixture
def trained(template: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """The program in a folder with a copy of that home."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return clean(monkeypatch, tmp_path)


ROWS = ("rows", "rows.parquet")
MEAN = ("property", *ROWS, "--function", "mean.onnx")
REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "unknown run": (("step", "nothing", "rows.parquet"), 3, "rootline run list"),
    "a run by no rule": (("step", "outside", "rows.parquet"), 3, "no circuit proves external/1"),
    "steps beyond the last": (("step", "fit", "rows.parquet", "--first", "14"), 2, "0 to 15"),
    "half a group": (("step", "fit", "rows.parquet", "--steps", "6"), 2, "groups of 4"),
    "undeclared tolerance": (
        ("step", "fit", "rows.parquet", "--tolerance", "2"),
        1,
        "the start declares",
    ),
    "other files": (("step", "fit", "other.parquet"), 1, "does not hold the records"),
    "missing files": (("step", "fit", "none.parquet"), 2, "none.parquet"),
    "no SRS": (("step", "fit", "rows.parquet", "--srs", "rows.parquet"), 2, "not an SRS file"),
    "no workers": (("step", "fit", "rows.parquet", "--workers", "elves"), 2, "threads[:N]"),
    "present": (
        ("exclusion", "rows", "--value", "row 99", "--value", "Row 3", "--zk"),
        1,
        "'Row 3' is in the index",
    ),
    "no index": (("exclusion", "plain", "--value", "x", "--zk"), 2, "has no index 0"),
    "a file of proofs": (("exclusion", "rows", "--value", "x", "--zk", "-o", "x"), 2, "--output"),
    "plain without a file": (("exclusion", "rows", "--value", "x"), 2, "--output FILE"),
    "plain with two": (
        ("exclusion", "rows", "--value", "x", "--value", "y", "-o", "x"),
        2,
        "one --value",
    ),
    "no function": (("property", *ROWS, "--function", "f", "--records", "0-3"), 2, "f is missing"),
    "junk": (("property", *ROWS, "--function", "junk.onnx", "--records", "0-3"), 2, "no ONNX"),
    "odd records": ((*MEAN, "--records", "0-4"), 2, "4 records at a time"),
    "records out of range": ((*MEAN, "--records", "38-41"), 2, "has no record 40"),
    "records and a run": ((*MEAN, "--records", "0-3", "--run", "fit"), 2, "or of --run RUN"),
    "no records": (MEAN, 2, "--records"),
    "no features": (
        ("property", "plain", "rows.parquet", "--function", "mean.onnx", "--records", "0-3"),
        3,
        "commits to no features",
    ),
    "no state": (
        ("property", "--function", "norm.onnx", "--run", "fit", "--state", "middle"),
        2,
        "initial",
    ),
    "evaluation elsewhere": (
        ("evaluation", "fit", "rows.parquet", "--of", "plain"),
        2,
        "other features",
    ),
    "evaluation out of range": (
        ("evaluation", "fit", "rows.parquet", "--records", "40"),
        2,
        "no record 40",
    ),
    "nothing asked": (("inference", "fit"), 2, "--inputs FILE"),
    "both asked": (
        ("inference", "fit", "rows.parquet", "--records", "0", "--inputs", "inputs.json"),
        2,
        "--inputs FILE",
    ),
    "wide inputs": (("inference", "fit", "--inputs", "wide.json"), 2, "2 integers"),
    "no inputs": (("inference", "fit", "--inputs", "features.json"), 2, "rows of integers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_proved_is_one_line_and_nothing_is_claimed(
    trained: Program, case: str
) -> None:
    words, code, told = REFUSED[case]
    home = trained.folder / ".rootline"
    before = sorted(home.joinpath("attestations").iterdir())
    assert told in trained.fails("prove", *words, code=code)
    assert sorted(home.joinpath("attestations").iterdir()) == before
    assert not list(home.joinpath("evidence").iterdir())
    assert not (trained.folder / "x").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [("0", (0,)), ("0,5,7-9", (0, 5, 7, 8, 9)), ("9, 3", (9, 3)), ("4-4", (4,))],
)
def test_numbers_are_read_in_the_order_in_which_they_are_written(
    text: str, found: tuple[int, ...]
) -> None:
    assert numbers(text) == found


SPANS = ("0-999999999999", f"0-{MAX_NUMBERS}", "9" * 5000)


@pytest.mark.parametrize(
    "text", ["", ",", "1,", "-1", "1-", "3-2", "1,1", "1-3,2", "x", "1.0", "٣", *SPANS]
)
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="--records"):
        numbers(text)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "[1]", "[[1.5]]", "[[true]]", '[["1"]]', "[" * 100_000, "\xff"]
)
def test_inputs_are_rows_of_integers(tmp_path: Path, content: str) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(MalformedError, match=r"inputs\.json"):
        read_inputs(path)


def test_the_cost_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = Workspace.create(tmp_path / "home")
    chosen = circuit("membership-14.v2")
    for crew, where in ((Crew(count=1), "1 at once"), (Crew("ray"), "on the cluster")):
        space.crew = crew
        tell_cost(space, chosen, 3)
        told = capsys.readouterr().err
        assert told.startswith(f"membership-14.v2: {2**chosen.logrows} rows; proofs: 3 of about ")
        assert where in told
        assert told.count("\n") == 1


def test_each_help_says_that_its_srs_may_be_insecure(program: Program) -> None:
    for command in ("membership", "step", "exclusion", "property", "evaluation", "inference"):
        assert "INSECURE" in program("prove", command, "--help")


COMMANDS: dict[str, tuple[tuple[str, ...], str, Callable[[Any], bool]]] = {
    "proved-steps": (
        ("step", "fit", "rows.parquet", "--first", "14", "--steps", "2", "--unroll", "2"),
        "step-logistic-4x2-u2-r1.v1",
        lambda told: bool(told["steps"] == "14 to 15 of 16"),
    ),
    "absence": (
        ("exclusion", "rows", "--value", "row 99", "--zk"),
        "exclusion-40.v1",
        lambda told: bool(told["values"] == ["row 99"]),
    ),
    "property": (
        (*MEAN, "--records", "0-3"),
        "property-4x3-",
        lambda told: bool(told["values"] == [[-44]]),
    ),
    "evaluation": (
        ("evaluation", "fit", "rows.parquet"),
        "evaluation-logistic-8x2.v1",
        lambda told: bool(0 <= told["total"] <= 8),
    ),
    "inference": (
        ("inference", "fit", "--inputs", "inputs.json"),
        "inference-logistic-2x2-open.v1",
        lambda told: len(told["outputs"]) == 2,
    ),
}


@pytest.mark.slow
def test_what_is_proved_holds_in_an_audit_and_is_not_claimed_twice(trained: Program) -> None:
    circuits: list[str] = []
    for words, name, is_right in COMMANDS.values():
        told = trained.json("prove", *words)
        assert "before the first one about" in trained.said
        assert told["circuit"].startswith(name)
        assert "INSECURE" in told["srs"]
        assert told["not proved"]
        assert is_right(told), told
        assert trained.json("prove", *words)["claim"] == told["claim"]
        srs = told["srs"].partition(":")[0]
        entry = ":".join((told["circuit"], told["verifying key"], srs, told["settings"]))
        circuits += ["--circuit", entry]
    seen = trained.json("ledger", "checkpoint", "-o", "checkpoint.json")
    trained("export", "-o", "evidence", "--checkpoint", "checkpoint.json")
    trained("policy", "init", "-o", "policy.json", "--monitor", seen["monitor key"], *circuits)
    verdict = trained.json("audit", "evidence", "--policy", "policy.json")
    found = {item["claim"]: item for item in verdict["findings"]}
    for claim in COMMANDS:
        level = "L0" if claim == "absence" else "L1"  # what an index holds is only declared
        assert (found[claim]["outcome"], found[claim]["level"]) == ("holds", level)
        assert "INSECURE" in found[claim]["reason"]
