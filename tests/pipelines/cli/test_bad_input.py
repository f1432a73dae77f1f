"""Bad input and bad days: one line, the right code, nothing half-written, and a way on."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.lock import locked
from storage.registry import Registry
from tests.pipelines.cli.conftest import Program

ROOT = Path(__file__).parents[3]
REGISTER = ("dataset", "register")
NAMED = ("--name", "people", "--version", "v1")


def register(path: str, *options: str) -> tuple[str, ...]:
    return (*REGISTER, path, *NAMED, *options)


def parquet(**columns: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table(columns), path)


def text(content: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(content)

    return write


CSV = ("--schema", "schema.json")
CASES: dict[str, tuple[str, Callable[[Path], None] | None, tuple[str, ...], str]] = {
    "missing file": ("none.parquet", None, (), "none.parquet"),
    "corrupt Parquet": ("bad.parquet", text("PAR1 nonsense PAR1"), (), "bad.parquet"),
    "corrupt Arrow": ("bad.arrow", text("ARROW1 nonsense"), (), "bad.arrow"),
    "corrupt JSONL": ("bad.jsonl", text('{"id":1,"name":"a"}\n{"id":\n'), CSV, "record 2"),
    "wrong CSV cell": ("bad.csv", text("id,name\n1,a\nx,b\n"), CSV, "record 2"),
    "CSV with a column too many": ("bad.csv", text("id,name,more\n1,a,b\n"), CSV, "more"),
    "duplicate column": ("bad.csv", text("id,id\n1,2\n"), CSV, "id"),
    "CSV without a schema": ("bad.csv", text("id,name\n1,a\n"), (), "schema"),
    "empty dataset": ("bad.parquet", parquet(id=pa.array([], pa.int64())), (), "empty"),
    "empty file": ("bad.csv", text(""), CSV, "bad.csv"),
    "unknown format": ("bad.txt", text("hello"), (), "format"),
    "another schema": ("bad.parquet", parquet(id=["a"], name=["b"]), CSV, "id"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_refused_by_name_and_nothing_is_written(rootline: Program, case: str) -> None:
    name, write, options, told = CASES[case]
    if write is not None:
        write(rootline.folder / name)
    said = rootline.fails(*register(name, *options), code=2)
    assert told in said
    home = rootline.folder / ".rootline"
    for folder in ("nodes", "attestations", "outbox/queue"):
        assert [
            path
            for path in (home / folder).glob("*")
            if path.suffix != ".lock" and path.name != "lock"
        ] == []


def test_files_whose_schemas_differ_are_named(rootline: Program) -> None:
    folder = rootline.folder / "parts"
    folder.mkdir()
    pq.write_table(pa.table({"id": [1]}), folder / "a.parquet")
    pq.write_table(pa.table({"id": ["x"]}), folder / "b.parquet")
    assert "b.parquet" in rootline.fails(*register("parts"), code=2)


def test_a_folder_without_files_is_refused(rootline: Program) -> None:
    (rootline.folder / "parts").mkdir()
    assert "parts" in rootline.fails(*register("parts"), code=2)


def test_a_registry_in_use_waits_and_says_by_whom(
    rootline: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(Registry, wait=0.1)
    monkeypatch.setattr("pipelines.flow.indexing.Registry", impatient)
    rootline(*register("table.csv", "--schema", "schema.json"))
    rootline("dataset", "list")
    with locked(rootline.folder / ".rootline" / "registry.duckdb.lock"):
        said = rootline.fails("registry", "rebuild", code=3)
    assert f"process {os.getpid()}" in said
    rootline("registry", "rebuild")


def limited(folder: Path, size: int, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the program where no file can grow beyond `size` bytes."""
    code = (
        "import resource, signal, sys\n"
        "from pipelines.cli.app import app\n"
        "sys.dont_write_bytecode = True\n"  # Python would keep half a module
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "app()"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    environ.pop("ROOTLINE_HOME", None)
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit of file sizes here")
def test_a_full_disk_leaves_nothing_half_written(rootline: Program) -> None:
    rows = "".join(f"{i},row {i}\n" for i in range(400))
    rootline.write("table.csv", "id,name\n" + rows)
    words = register("table.csv", "--schema", "schema.json")
    done = limited(rootline.folder, 8000, *words)
    assert done.returncode == 3, done.stderr
    assert "full; free space" in done.stderr
    assert done.stderr.count("\n") == 1
    home = rootline.folder / ".rootline"
    assert [path.name for path in (home / "nodes").iterdir()] == ["people.lock"]
    assert not list(home.rglob("*.tmp"))
    assert rootline.json(*words)["records"] == 400


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from typer.testing import CliRunner
from pipelines.cli.app import app
import pipelines.flow.registering, pipelines.flow.looking
import storage.readers.delimited, storage.readers.datasets

WATCHED = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "sqlite3.connect")
WORDS = ["dataset", "register", "table.csv", "--name", "people", "--version", "v1",
         "--schema", "schema.json", "--json"]
folder = Path(sys.argv[1])
shutil.copytree(".rootline", folder / "fresh")

def die_at(last):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in WATCHED and str(folder) in str(arguments[:2]):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

def child(home, last):
    pid = os.fork()
    if pid == 0:
        os.environ["ROOTLINE_HOME"] = str(home)
        if last:
            die_at(last)
        result = CliRunner().invoke(app, WORDS)
        if result.exit_code:
            sys.stderr.write(result.output)
        os._exit(result.exit_code)
    return os.waitpid(pid, 0)[1]

killed = 0
for last in range(1, 4000, int(sys.argv[2])):
    home = folder / str(last)
    shutil.copytree(folder / "fresh", home)
    if child(home, last) == 0:
        break
    killed += 1
    assert child(home, 0) == 0, last
    # A second name of a file that is whole may stay; half a file may not.
    found = home.rglob("*.tmp")
    left = [str(path.relative_to(home)) for path in found if path.stat().st_nlink == 1]
    assert not left, (last, left)
    names = [path.name for path in (home / "attestations").iterdir()]
    assert len(names) == 1, (last, names)
    [log] = [path for path in (home / "outbox").iterdir() if len(path.name) == 64]
    batches = sorted(int(path.name) for path in log.glob("[0-9]*"))
    assert batches == [0, 1], (last, batches)
    assert all((path / "receipt").exists() for path in log.glob("[0-9]*")), last
    assert not list((home / "outbox" / "queue").glob("*.json")), last
    shutil.rmtree(home)
print(killed)
"""


@pytest.mark.parametrize("stride", ["61", pytest.param("3", marks=pytest.mark.slow)])
def test_killed_at_any_moment_the_next_run_completes_and_posts_nothing_twice(
    rootline: Program, stride: str
) -> None:
    command = [sys.executable, "-c", KILLED, str(rootline.folder / "homes"), stride]
    (rootline.folder / "homes").mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=rootline.folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert int(done.stdout) * int(stride) > 100


def test_what_the_demo_of_bad_json_says_is_json_too(rootline: Program) -> None:
    rootline(*register("none.csv", "--schema", "schema.json", "--json"), code=2)
    assert json.loads(rootline(*register("none.csv", "--json"), code=2))["kind"] == (
        "MalformedError"
    )
