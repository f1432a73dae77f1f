"""The outermost command: help, wrong usage, and every way in which a command can end."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli.program import Program as Group
from provenance.errors import MalformedError, UnavailableError, VerificationError
from tests.pipelines.cli.conftest import Program

ROOT = Path(__file__).parents[3]
HEAVY = ("numpy", "pyarrow", "duckdb", "dagster", "rfc8785", "cryptography", "dvc", "ezkl")


def python(code: str, *words: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )


def ending_with(error: BaseException) -> typer.Typer:
    app = typer.Typer(cls=Group)

    @app.command()
    def work(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:  # noqa: FBT002, ARG001  # read from the words
        raise error

    app.command()(lambda: None)
    return app


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, pipelines.cli.app; print([m for m in {HEAVY} if m in sys.modules])"
    assert python(code).stdout == "[]\n"


def test_help_names_every_group() -> None:
    done = python("from pipelines.cli import main; main()", "--help")
    assert done.returncode == 0
    groups = (
        "init dataset run prove verify publish export inspect policy audit ledger circuits keys "
        "registry demo dev"
    )
    for group in groups.split():
        assert group in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["dataset", "nonsense"],
        ["dataset", "register"],
        ["dataset", "register", "x", "--name", "a"],
        ["audit", "x", "--policy"],
        ["audit", "x", "--policy", "y", "--unknown"],
        ["prove", "inclusion", "a@1", "x", "--record", "-1", "-o", "y"],
        ["prove", "inclusion", "a@1", "x", "--record", "two", "-o", "y"],
        ["run", "--name", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_that_names_the_help(program: Program, words: list[str]) -> None:
    assert "--help" in program.fails(*words, code=2)


def test_without_a_command_the_help_is_shown_and_the_usage_is_wrong(program: Program) -> None:
    assert "register" in program("dataset", code=2)


def test_wrong_usage_is_a_document_too(program: Program) -> None:
    document = program.json("dataset", "show", code=2)
    assert document["kind"] == "MalformedError"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MalformedError("bad"), 2),
        (VerificationError("false"), 1),
        (UnavailableError("locked"), 3),
        (OSError(errno.ENOSPC, "No space left on device"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), 3),
        (ModuleNotFoundError("No module named 'dagster'", name="dagster"), 3),
        (MemoryError(), 3),
        (KeyboardInterrupt(), 3),
        (typer.Abort(), 3),
    ],
    ids=repr,
)
def test_every_error_is_one_line_and_a_code(error: BaseException, code: int) -> None:
    result = CliRunner().invoke(ending_with(error), ["work"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("rootline: ")
    assert result.stderr.count("\n") == 1


def test_an_error_of_many_lines_is_told_in_one() -> None:
    result = CliRunner().invoke(ending_with(MalformedError("one\n two\nthree")), ["work"])
    assert result.stderr == "rootline: one two three\n"


def test_an_error_is_a_document_where_one_is_asked_for() -> None:
    result = CliRunner().invoke(ending_with(UnavailableError("locked")), ["work", "--json"])
    assert json.loads(result.stdout) == {"error": "locked", "kind": "UnavailableError"}


def test_what_is_not_installed_is_named() -> None:
    error = ModuleNotFoundError("No module named 'dagster.core'", name="dagster.core")
    result = CliRunner().invoke(ending_with(error), ["work"])
    assert "dagster is not installed" in result.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    script = "exec 3>&1; { python -c 'from pipelines.cli import main; main()' circuits list; "
    script += "echo $? >&3; } | true"
    done = subprocess.run(
        ["sh", "-c", script.replace("python", sys.executable, 1)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    assert done.stdout in ("3\n", "0\n")  # 0 where the pipe was still open
    assert done.stderr == ""


def test_a_full_disk_below_standard_output_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    code = "from pipelines.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "circuits", "list", "--json"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.startswith("rootline: cannot be written: the disk")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_leaves_no_traceback() -> None:
    code = (
        "import os, signal, typer\n"
        "from pipelines.cli.program import Program\n"
        "app = typer.Typer(cls=Program)\n"
        "@app.command()\n"
        "def work(): os.kill(os.getpid(), signal.SIGINT)\n"
        "@app.command()\n"
        "def other(): ...\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "app()"
    )
    done = python(code, "work")
    assert done.returncode == 3
    assert done.stderr == "rootline: interrupted; run the command again to go on\n"


def test_serving_ends_with_all_that_it_started(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "from pipelines.cli.serving import serve\n"
        "child = 'import os,signal,subprocess,sys,time;'\n"
        "child += 'signal.signal(signal.SIGINT, signal.SIG_IGN);'\n"
        'child += \'c = subprocess.Popen(["sleep", "600"]);\'\n'
        "child += 'open(sys.argv[1], \"w\").write(str(c.pid) + chr(10));'\n"
        "child += 'os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)'\n"
        "print(serve([sys.executable, '-c', child, sys.argv[1]], dict(os.environ), grace=0.1))\n"
    )
    done = python(code, str(tmp_path / "pid"))
    assert (done.stdout, done.stderr) == ("0\n", "")
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_serving_tells_how_the_other_program_ended() -> None:
    code = "import os; from pipelines.cli.serving import serve; print(serve(['false'], os.environ))"
    assert python(code).stdout == "1\n"


def test_signals_are_heard_as_before_after_serving() -> None:
    code = (
        "import os, signal; from pipelines.cli.serving import serve\n"
        "before = signal.getsignal(signal.SIGTERM); serve(['true'], os.environ)\n"
        "print(signal.getsignal(signal.SIGTERM) == before)"
    )
    assert python(code).stdout == "True\n"
    assert signal.getsignal(signal.SIGTERM) is not None
